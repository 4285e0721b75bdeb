// The words of docs/abi.md for AssemblyScript.

@unmanaged
export class Info {
  kind: u32;
  size: u32;
  handles: u32;
  extra: u32;
}

@external("capsend", "argument") export declare function argument(info: Info): i32;
@external("capsend", "result") export declare function result(data: usize, size: u32): i32;
@external("capsend", "receive") export declare function receive(info: Info, prefix: usize, prefixSize: u32, timeout: i64): i32;
@external("capsend", "read") export declare function read(data: usize, handles: usize): i32;
@external("capsend", "send") export declare function send(to: i32, data: usize, size: u32, handles: usize, count: u32, timeout: i64): i32;
@external("capsend", "say") export declare function say(to: i32, text: usize, size: u32, handles: usize, count: u32, timeout: i64): i32;
@external("capsend", "call") export declare function call(
  to: i32, data: usize, size: u32, handles: usize, count: u32, info: Info, timeout: i64): i32;
@external("capsend", "invoke") export declare function invoke(fn: i32, data: usize, size: u32, info: Info): i32;
@external("capsend", "spawn") export declare function spawn(
  module: i32, name: usize, nameSize: u32, data: usize, size: u32, handles: usize, count: u32, flags: u32): i32;
@external("capsend", "own") export declare function own(): i32;
@external("capsend", "drop") export declare function drop(handle: i32): i32;
@external("capsend", "trap") export declare function trap(on: u32): i32;
@external("capsend", "kill") export declare function kill(handle: i32): i32;
@external("capsend", "write") export declare function write(stream: u32, data: usize, size: u32): i32;
@external("capsend", "sleep") export declare function sleep(milliseconds: i64): i32;

export const THIS_MODULE: i32 = -1;
export const LINK: u32 = 1;
export const MONITOR: u32 = 2;
export const FOR_EVER: i64 = -1;
