;; The cases of tests/wasm/test_conformance.py by hand: one entry each.
;; Memory: 0 info (kind, size, handles, extra), 64 handles, 256 results, 512 names, 65536 data.
(module
  (import "capsend" "argument" (func $argument (param i32) (result i32)))
  (import "capsend" "result" (func $result (param i32 i32) (result i32)))
  (import "capsend" "receive" (func $receive (param i32 i32 i32 i64) (result i32)))
  (import "capsend" "read" (func $read (param i32 i32) (result i32)))
  (import "capsend" "send" (func $send (param i32 i32 i32 i32 i32 i64) (result i32)))
  (import "capsend" "say" (func $say (param i32 i32 i32 i32 i32 i64) (result i32)))
  (import "capsend" "call" (func $call (param i32 i32 i32 i32 i32 i32 i64) (result i32)))
  (import "capsend" "invoke" (func $invoke (param i32 i32 i32 i32) (result i32)))
  (import "capsend" "spawn" (func $spawn (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "capsend" "own" (func $own (result i32)))
  (import "capsend" "drop" (func $drop (param i32) (result i32)))
  (import "capsend" "trap" (func $trap (param i32) (result i32)))
  (import "capsend" "kill" (func $kill (param i32) (result i32)))
  (import "capsend" "write" (func $write (param i32 i32 i32) (result i32)))
  (import "capsend" "sleep" (func $sleep (param i64) (result i32)))

  (memory (export "memory") 18)
  (data (i32.const 512) "child")
  (data (i32.const 520) "failing")
  (data (i32.const 528) "waiting")
  (data (i32.const 536) "b")
  (data (i32.const 544) "refused")
  (data (i32.const 560) "hello from a guest\n")

  (func (export "capsend_abi_1"))

  (func $kind (result i32) (i32.load (i32.const 0)))
  (func $size (result i32) (i32.load (i32.const 4)))
  (func $handles (result i32) (i32.load (i32.const 8)))
  (func $extra (result i32) (i32.load (i32.const 12)))
  (func $handle (result i32) (i32.load (i32.const 64)))

  ;; Take what the process was started with: its bytes and its handles.
  (func $begin
    (drop (call $argument (i32.const 0)))
    (drop (call $read (i32.const 65536) (i32.const 64))))
  ;; Wait for any message.
  (func $next
    (drop (call $receive (i32.const 0) (i32.const 0) (i32.const 0) (i64.const -1)))
    (drop (call $read (i32.const 65536) (i32.const 64))))
  ;; End with the bytes of the current message.
  (func $pass_on (result i32)
    (drop (call $read (i32.const 65536) (i32.const 0)))
    (call $result (i32.const 65536) (call $size)))
  ;; End with numbers, 4 bytes each.
  (func $report (param $first i32) (param $second i32) (param $third i32) (result i32)
    (i32.store (i32.const 256) (local.get $first))
    (i32.store (i32.const 260) (local.get $second))
    (i32.store (i32.const 264) (local.get $third))
    (call $result (i32.const 256) (i32.const 12)))
  ;; Start an entry of this module that is given nothing.
  (func $start (param $name i32) (param $size i32) (param $flags i32) (result i32)
    (call $spawn (i32.const -1) (local.get $name) (local.get $size)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (local.get $flags)))

  (func (export "echo") (result i32)
    (call $begin)
    (call $pass_on))

  (func (export "greeting") (result i32)
    (call $write (i32.const 1) (i32.const 560) (i32.const 19)))

  (func (export "parent") (result i32) (local $child i32)
    (call $begin)
    (i32.store (i32.const 64) (call $own))
    (local.set $child (call $spawn (i32.const -1) (i32.const 512) (i32.const 5)
      (i32.const 65536) (call $size) (i32.const 64) (i32.const 1) (i32.const 0)))
    (if (i32.lt_s (local.get $child) (i32.const 0))
      (then (return (i32.sub (i32.const 0) (local.get $child)))))
    (call $next)
    (call $pass_on))

  (func (export "child") (result i32)
    (call $begin)
    (call $send (call $handle) (i32.const 65536) (call $size) (i32.const 0) (i32.const 0) (i64.const -1)))

  (func (export "serving") (result i32) (local $served i32)
    (loop $again
      (call $next)
      (if (call $handles)
        (then
          (drop (call $send (call $handle) (i32.const 65536) (call $size) (i32.const 0) (i32.const 0) (i64.const -1)))
          (drop (call $drop (call $handle)))
          (local.set $served (i32.add (local.get $served) (i32.const 1)))
          (br $again))))
    (call $report (local.get $served) (i32.const 0) (i32.const 0)))

  (func (export "passing") (result i32) (local $following i32)
    (call $next)
    (local.set $following (call $handle))
    (loop $again
      (call $next)
      (drop (call $send (local.get $following) (i32.const 65536) (call $size) (i32.const 0) (i32.const 0) (i64.const -1)))
      (br_if $again (call $size)))
    (i32.const 0))

  (func (export "selective") (result i32) (local $turn i32) (local $end i32)
    (local.set $end (i32.const 65536))
    (loop $again
      (drop (call $receive (i32.const 0) (i32.const 536) (i32.eqz (local.get $turn)) (i64.const -1)))
      (drop (call $read (local.get $end) (i32.const 0)))
      (local.set $end (i32.add (local.get $end) (call $size)))
      (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $turn) (i32.const 3))))
    (call $result (i32.const 65536) (i32.sub (local.get $end) (i32.const 65536))))

  (func (export "patient") (result i32)
    (call $report
      (call $receive (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0))
      (call $receive (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 10))
      (call $receive (i32.const 0) (i32.const 536) (i32.const 1) (i64.const 10))))

  (func (export "failing") (result i32)
    (i32.const 7))

  (func (export "waiting") (result i32)
    (call $receive (i32.const 0) (i32.const 0) (i32.const 0) (i64.const -1)))

  (func (export "watching") (result i32) (local $child i32)
    (local.set $child (call $start (i32.const 520) (i32.const 7) (i32.const 2)))
    (call $next)
    (call $report (call $kind) (call $extra) (i32.eq (call $handle) (local.get $child))))

  (func (export "trapping") (result i32) (local $child i32)
    (drop (call $trap (i32.const 1)))
    (local.set $child (call $start (i32.const 520) (i32.const 7) (i32.const 1)))
    (call $next)
    (call $report (call $kind) (call $extra) (i32.eq (call $handle) (local.get $child))))

  (func (export "doomed") (result i32)
    (drop (call $start (i32.const 520) (i32.const 7) (i32.const 1)))
    (call $next)
    (i32.const 0))

  (func (export "killing") (result i32) (local $killed i32)
    (local.set $killed (call $kill (call $start (i32.const 528) (i32.const 7) (i32.const 2))))
    (call $next)
    (call $report (call $kind) (call $extra) (local.get $killed)))

  (func (export "oversized") (result i32) (local $self i32)
    (local.set $self (call $own))
    (call $report
      (call $send (local.get $self) (i32.const 65536) (i32.const 1048576) (i32.const 0) (i32.const 0) (i64.const 0))
      (call $send (local.get $self) (i32.const 65536) (i32.const 16) (i32.const 0) (i32.const 0) (i64.const 0))
      (i32.const 0)))

  (func (export "forging") (result i32)
    (i32.store (i32.const 64) (i32.const 4711))
    (call $report
      (call $send (i32.const 4711) (i32.const 65536) (i32.const 1) (i32.const 0) (i32.const 0) (i64.const 0))
      (call $send (call $own) (i32.const 65536) (i32.const 1) (i32.const 64) (i32.const 1) (i64.const 0))
      (call $kill (i32.const 4711))))

  (func (export "faulting")
    unreachable)

  (func (export "spinning")
    (loop $for_ever (br $for_ever)))

  (func (export "sleeping") (result i32)
    (call $sleep (i64.const 3600000)))

  (func (export "greedy") (result i32)
    (loop $again
      (br_if $again (i32.ne (memory.grow (i32.const 256)) (i32.const -1))))
    (call $result (i32.const 544) (i32.const 7)))

  (func (export "chattering")
    (loop $again
      (drop (call $write (i32.const 1) (i32.const 65536) (i32.const 4096)))
      (br $again)))

  (func (export "asking") (result i32) (local $answer i32)
    (call $begin)
    (local.set $answer (call $call (call $handle) (i32.const 65536) (call $size)
      (i32.const 0) (i32.const 0) (i32.const 0) (i64.const -1)))
    (if (result i32) (i32.lt_s (local.get $answer) (i32.const 0))
      (then (call $report (local.get $answer) (i32.const 0) (i32.const 0)))
      (else (call $pass_on))))

  (func (export "invoking") (result i32) (local $answer i32)
    (call $begin)
    (local.set $answer (call $invoke (call $handle) (i32.const 65536) (call $size) (i32.const 0)))
    (if (result i32) (i32.lt_s (local.get $answer) (i32.const 0))
      (then (call $report (local.get $answer) (i32.const 0) (i32.const 0)))
      (else (call $pass_on))))

  (func (export "returning") (result i32) (local $back i32)
    (call $begin)
    (local.set $back (call $handle))
    (call $next)
    (drop (call $say (local.get $back) (i32.const 65536) (call $size) (i32.const 0) (i32.const 0) (i64.const -1)))
    (call $report (call $kind) (i32.const 0) (i32.const 0))))
