// Every test file runs on the plain TensorFlow.js `cpu` backend unless it says otherwise; '@tensorflow/tfjs' brings the
// gradients of the core ops, which '@tensorflow/tfjs-core' alone does not register.
import * as tf from '@tensorflow/tfjs';

await tf.setBackend('cpu');
