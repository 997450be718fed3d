/** Node: registers the gradients of the core ops on the engine that `@tensorflow/tfjs-core` uses. */
import '@tensorflow/tfjs';
