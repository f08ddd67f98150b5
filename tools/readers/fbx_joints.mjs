// Prints, as JSON, where three.js has the bones of an FBX file at given times: node fbx_joints.mjs FILE TIME...
// FBXLoader and AnimationMixer are three's own; nothing of Blender is involved.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = process.env.MVLIFT_NODE_MODULES ?? join(process.cwd(), 'node_modules');
const three = dirname(dirname(createRequire(join(folder, 'x.js')).resolve('three')));
const load = (path) => import(pathToFileURL(join(three, path)).href);
globalThis.window ??= { innerWidth: 1280, innerHeight: 720 };
globalThis.document ??= { createElementNS: () => ({ addEventListener() {}, removeEventListener() {} }) };

const THREE = await load('build/three.module.js');
const { FBXLoader } = await load('examples/jsm/loaders/FBXLoader.js');
const bytes = readFileSync(process.argv[2]);
const scene = new FBXLoader().parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), '');
const clip = scene.animations.reduce((a, b) => (a.tracks.length >= b.tracks.length ? a : b));
const keys = new Set(clip.tracks.flatMap((track) => [...track.times].map((t) => t.toFixed(7))));
const mixer = new THREE.AnimationMixer(scene);
mixer.clipAction(clip).setLoop(THREE.LoopOnce).play();
mixer.clipAction(clip).clampWhenFinished = true;
const bones = [];
scene.traverse((node) => node.isBone && bones.push(node));
const frames = process.argv.slice(3).map(Number).map((time) => {
  mixer.setTime(time);
  scene.updateMatrixWorld(true);
  return bones.map((bone) => new THREE.Vector3().setFromMatrixPosition(bone.matrixWorld).toArray());
});
console.log(JSON.stringify({
  clip: clip.name, names: bones.map((bone) => bone.name), times: [...keys].map(Number).sort((a, b) => a - b), frames,
}));
