// The cases of tests/wasm/test_conformance.py in AssemblyScript: one entry each.
import * as capsend from "./capsend";
import { FOR_EVER, Info, LINK, MONITOR, THIS_MODULE } from "./capsend";

export function capsend_abi_1(): void {}

const SIZE: u32 = 1 << 20;
const info = changetype<Info>(memory.data(16));
const handles = memory.data(64);
const numbers = memory.data(12);
const data = memory.data(1 << 20);

class Text {
  buffer: ArrayBuffer;
  constructor(text: string) {
    this.buffer = String.UTF8.encode(text);
  }
  get at(): usize { return changetype<usize>(this.buffer); }
  get size(): u32 { return this.buffer.byteLength; }
}

function firstHandle(): i32 { return load<i32>(handles); }

// End with the bytes of the current message.
function passOn(): i32 {
  capsend.read(data, 0);
  return capsend.result(data, info.size);
}

// End with numbers, 4 bytes each.
function report(first: i32, second: i32, third: i32): i32 {
  store<i32>(numbers, first);
  store<i32>(numbers + 4, second);
  store<i32>(numbers + 8, third);
  return capsend.result(numbers, 12);
}

// Take what the process was started with: its bytes and its handles.
function begin(): void {
  capsend.argument(info);
  capsend.read(data, handles);
}

// Wait for any message.
function next(): void {
  capsend.receive(info, 0, 0, FOR_EVER);
  capsend.read(data, handles);
}

function start(entry: string, flags: u32): i32 {
  const name = new Text(entry);
  return capsend.spawn(THIS_MODULE, name.at, name.size, 0, 0, 0, 0, flags);
}

export function echo(): i32 {
  begin();
  return passOn();
}

export function greeting(): i32 {
  const words = new Text("hello from a guest\n");
  return capsend.write(1, words.at, words.size);
}

export function parent(): i32 {
  begin();
  const name = new Text("child");
  store<i32>(handles, capsend.own());
  const child = capsend.spawn(THIS_MODULE, name.at, name.size, data, info.size, handles, 1, 0);
  if (child < 0) return -child;
  next();
  return passOn();
}

export function child(): i32 {
  begin();
  return capsend.send(firstHandle(), data, info.size, 0, 0, FOR_EVER);
}

export function serving(): i32 {
  let served = 0;
  for (next(); info.handles != 0; next()) {
    capsend.send(firstHandle(), data, info.size, 0, 0, FOR_EVER);
    capsend.drop(firstHandle());
    served++;
  }
  return report(served, 0, 0);
}

export function passing(): i32 {
  next();
  const following = firstHandle();
  do {
    next();
    capsend.send(following, data, info.size, 0, 0, FOR_EVER);
  } while (info.size != 0);
  return 0;
}

export function selective(): i32 {
  const prefix = new Text("b");
  let size: u32 = 0;
  for (let turn = 0; turn < 3; turn++) {
    capsend.receive(info, prefix.at, turn == 0 ? 1 : 0, FOR_EVER);
    capsend.read(data + size, 0);
    size += info.size;
  }
  return capsend.result(data, size);
}

export function patient(): i32 {
  const prefix = new Text("b");
  const now = capsend.receive(info, 0, 0, 0);
  const soon = capsend.receive(info, 0, 0, 10);
  return report(now, soon, capsend.receive(info, prefix.at, 1, 10));
}

export function failing(): i32 {
  return 7;
}

export function waiting(): i32 {
  return capsend.receive(info, 0, 0, FOR_EVER);
}

export function watching(): i32 {
  const child = start("failing", MONITOR);
  next();
  return report(info.kind, info.extra, i32(firstHandle() == child));
}

export function trapping(): i32 {
  capsend.trap(1);
  const child = start("failing", LINK);
  next();
  return report(info.kind, info.extra, i32(firstHandle() == child));
}

export function doomed(): i32 {
  start("failing", LINK);
  next();
  return 0;
}

export function killing(): i32 {
  const killed = capsend.kill(start("waiting", MONITOR));
  next();
  return report(info.kind, info.extra, killed);
}

export function oversized(): i32 {
  const self = capsend.own();
  const large = capsend.send(self, data, SIZE, 0, 0, 0);
  return report(large, capsend.send(self, data, 16, 0, 0, 0), 0);
}

export function forging(): i32 {
  const forged: i32 = 4711;
  store<i32>(handles, forged);
  const sent = capsend.send(forged, data, 1, 0, 0, 0);
  const carried = capsend.send(capsend.own(), data, 1, handles, 1, 0);
  return report(sent, carried, capsend.kill(forged));
}

export function faulting(): void {
  unreachable();
}

export function spinning(): void {
  while (true) {}
}

export function sleeping(): i32 {
  return capsend.sleep(3600 * 1000);
}

export function greedy(): i32 {
  const words = new Text("refused");
  while (memory.grow(256) != -1) {}
  return capsend.result(words.at, words.size);
}

export function chattering(): void {
  while (true) capsend.write(1, data, 4096);
}

export function asking(): i32 {
  begin();
  const answer = capsend.call(firstHandle(), data, info.size, 0, 0, info, FOR_EVER);
  return answer < 0 ? report(answer, 0, 0) : passOn();
}

export function invoking(): i32 {
  begin();
  const answer = capsend.invoke(firstHandle(), data, info.size, info);
  return answer < 0 ? report(answer, 0, 0) : passOn();
}

export function returning(): i32 {
  begin();
  const back = firstHandle();
  next();
  capsend.say(back, data, info.size, 0, 0, FOR_EVER);
  return report(info.kind, 0, 0);
}
