// Prints, as JSON, what Khronos' glTF validator says of a file: node gltf_valid.mjs FILE
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const folder = process.env.MVLIFT_NODE_MODULES ?? join(process.cwd(), 'node_modules');
const validator = createRequire(join(folder, 'x.js'))('gltf-validator');
const report = await validator.validateBytes(new Uint8Array(readFileSync(process.argv[2])));
console.log(JSON.stringify(report.issues));
