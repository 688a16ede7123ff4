// A VRM runtime of others (pixiv's three-vrm) loads a model, plays a .vrma on it and says what it shows.
//
// node vrm_read.mjs NODE_MODULES MODEL.vrm [MOTION.vrma SECONDS...]
// Prints one line of JSON: {names, samples: [{expressions, morphs, nose, crown, leftEye, rightEye}]};
// names: each expression under which the runtime knows the model's morph target, by the target's
// name; the vectors are directions in the model's world (VRM 1 faces +z, VRM 0 faces -z).
import fs from 'node:fs';
import { pathToFileURL } from 'node:url';

const [modules, modelPath, motionPath, ...seconds] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(`${modules}/${path}`));
const THREE = await load('three/build/three.module.js');
const { GLTFLoader } = await load('three/examples/jsm/loaders/GLTFLoader.js');
const { VRMLoaderPlugin } = await load('@pixiv/three-vrm/lib/three-vrm.module.js');
const { VRMAnimationLoaderPlugin, VRMLookAtQuaternionProxy, createVRMAnimationClip } = await load(
  '@pixiv/three-vrm-animation/lib/three-vrm-animation.module.js',
);

async function read(path, plugin) {
  const loader = new GLTFLoader();
  loader.register((parser) => new plugin(parser));
  const bytes = fs.readFileSync(path);
  return loader.parseAsync(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), '');
}

const { vrm } = (await read(modelPath, VRMLoaderPlugin)).userData;
let face;
vrm.scene.traverse((node) => {
  if (node.morphTargetDictionary) face = node;
});
const targets = Object.keys(face.morphTargetDictionary);
const names = {};
for (const expression of vrm.expressionManager.expressions) {
  for (const bind of expression.binds) names[targets[bind.index]] = expression.expressionName;
}

const samples = [];
if (motionPath) {
  const motion = (await read(motionPath, VRMAnimationLoaderPlugin)).userData.vrmAnimations[0];
  const proxy = new VRMLookAtQuaternionProxy(vrm.lookAt);
  proxy.name = 'lookAtQuaternionProxy';
  vrm.scene.add(proxy);
  const mixer = new THREE.AnimationMixer(vrm.scene);
  const action = mixer.clipAction(createVRMAnimationClip(motion, vrm));
  action.setLoop(THREE.LoopOnce).clampWhenFinished = true;
  action.play();
  const forward = vrm.meta.metaVersion === '0' ? -1 : 1;
  const turned = (bone, x, y, z) => {
    const world = vrm.humanoid.getRawBoneNode(bone).getWorldQuaternion(new THREE.Quaternion());
    return new THREE.Vector3(x, y, z).applyQuaternion(world).toArray();
  };
  for (const time of seconds.map(Number)) {
    mixer.setTime(time);
    vrm.update(0);
    vrm.scene.updateMatrixWorld(true);
    const expressions = {};
    for (const { expressionName, weight } of vrm.expressionManager.expressions) {
      expressions[expressionName] = weight;
    }
    samples.push({
      expressions,
      morphs: Object.fromEntries(targets.map((name, i) => [name, face.morphTargetInfluences[i]])),
      nose: turned('head', 0, 0, forward),
      crown: turned('head', 0, 1, 0),
      leftEye: turned('leftEye', 0, 0, forward),
      rightEye: turned('rightEye', 0, 0, forward),
    });
  }
}
console.log(JSON.stringify({ names, samples }));
