// The cases of tests/wasm/test_conformance.py in JavaScript: one entry each.
import * as capsend from "capsend:process/operations@1.0.0";

const CODES = ["malformed", "forged", "denied", "closed", "full", "refused", "large", "timeout", "many", "unsendable", "missing", "limit", "raised"];
const KINDS = ["bytes", "value", "down", "exit"];
const REASONS = ["normal", "failed", "killed", "limit", "trap"];
const NOTHING = new Uint8Array();
const bytes = (text) => new TextEncoder().encode(text);

// End with numbers, 4 bytes each.
const report = (...numbers) => new Uint8Array(new Int32Array([0, 1, 2].map((index) => Number(numbers[index] ?? 0))).buffer);

// The code that the plain imports would answer.
function code(operation) {
  try {
    operation();
    return 0;
  } catch (error) {
    return -1 - CODES.indexOf(error.payload?.error ?? error.payload);
  }
}

const start = (name, ties) => capsend.spawn(undefined, name, NOTHING, [], ties);
const next = () => capsend.receive(NOTHING, undefined);
const tell = (notice, child) => report(KINDS.indexOf(notice.kind), REASONS.indexOf(notice.reason), notice.handles[0] === child);

export const echo = (argument) => argument;

export function greeting() {
  capsend.write("output", bytes("hello from a guest\n"));
  return NOTHING;
}

export function parent(argument) {
  capsend.spawn(undefined, "child", argument, [capsend.own()], {});
  return next().data;
}

export function child(argument, [back]) {
  capsend.send(back, argument, [], undefined);
  return NOTHING;
}

export function serving() {
  for (let served = 0; ; served++) {
    const { data, handles } = next();
    if (handles.length === 0) return report(served);
    capsend.send(handles[0], data, [], undefined);
    capsend.drop(handles[0]);
  }
}

export function passing() {
  const [following] = next().handles;
  for (;;) {
    const { data } = next();
    capsend.send(following, data, [], undefined);
    if (data.length === 0) return NOTHING;
  }
}

export function selective() {
  const found = [bytes("b"), NOTHING, NOTHING].map((prefix) => capsend.receive(prefix, undefined).data);
  return new Uint8Array(found.flatMap((data) => [...data]));
}

export const patient = () =>
  report(...[[NOTHING, 0n], [NOTHING, 10n], [bytes("b"), 10n]].map((asked) => code(() => capsend.receive(...asked))));

export function failing() {
  throw Object.assign(new Error("7"), { payload: "7" });
}

export function waiting() {
  next();
  return NOTHING;
}

export function watching() {
  const child = start("failing", { monitor: true });
  return tell(next(), child);
}

export function trapping() {
  capsend.trap(true);
  const child = start("failing", { link: true });
  return tell(next(), child);
}

export function doomed() {
  start("failing", { link: true });
  next();
  return NOTHING;
}

export function killing() {
  const killed = code(() => capsend.kill(start("waiting", { monitor: true })));
  const notice = next();
  return report(KINDS.indexOf(notice.kind), REASONS.indexOf(notice.reason), killed);
}

export function oversized() {
  const self = capsend.own();
  return report(...[1 << 20, 16].map((size) => code(() => capsend.send(self, new Uint8Array(size), [], 0n))));
}

export function forging() {
  const forged = 4711;
  return report(
    code(() => capsend.send(forged, NOTHING, [], 0n)),
    code(() => capsend.send(capsend.own(), NOTHING, [forged], 0n)),
    code(() => capsend.kill(forged)),
  );
}

export function faulting() {
  const deeper = () => deeper() + deeper();
  throw new Error("not what the entry may throw: a fault");
}

export function spinning() {
  for (;;);
}

export function sleeping() {
  capsend.sleep(3600n * 1000n);
  return NOTHING;
}

export function greedy() {
  const held = [];
  try {
    for (;;) held.push(new ArrayBuffer(1 << 24));
  } catch {
    return bytes("refused");
  }
}

export function chattering() {
  const data = new Uint8Array(4096);
  for (;;) capsend.write("output", data);
}

export function asking(argument, [to]) {
  let answer;
  const failed = code(() => (answer = capsend.call(to, argument, [], undefined)));
  return failed ? report(failed) : answer.data;
}

export function invoking(argument, [called]) {
  let answer;
  const failed = code(() => (answer = capsend.invoke(called, argument)));
  return failed ? report(failed) : answer.data;
}

export function returning(argument, [back]) {
  const { kind, text } = next();
  capsend.say(back, text, [], undefined);
  return report(KINDS.indexOf(kind));
}
