/** Bundlers and browsers: the gradients of the core ops, without the rest of `@tensorflow/tfjs`. */
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
