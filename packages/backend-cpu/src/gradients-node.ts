/** Node: registers the gradients of the core ops on the engine that `@tensorflow/tfjs-core` uses. */
import { version } from '@tensorflow/tfjs';

// Used, so that the declaration file of this one does not name that package, whose own do not compile without `skipLibCheck`.
void version;
