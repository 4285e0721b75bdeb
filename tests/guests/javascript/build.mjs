// node build.mjs SOURCE MADE FOLDER-OF-PROCESS.WIT: make a component of a module in JavaScript.
import { cp, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { componentize } from "@bytecodealliance/componentize-js";

const [source, made, interfaces] = process.argv.slice(2);
const wit = await mkdtemp(join(tmpdir(), "wit-"));
await cp(join(dirname(source), "world.wit"), join(wit, "world.wit"));
await mkdir(join(wit, "deps"));
await cp(join(interfaces, "process.wit"), join(wit, "deps", "process.wit"));
const { component } = await componentize({ sourcePath: source, witPath: wit, worldName: "conformance", disableFeatures: ["http", "fetch-event"] });
await writeFile(made, component);
