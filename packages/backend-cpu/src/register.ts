/**
 * Registration of the backend and its kernels.
 */

import { ResourceError } from '@ostinato/core';
import { copyRegisteredKernels, findBackend, findBackendFactory, registerBackend } from '@tensorflow/tfjs-core';
import { OstinatoCpuBackend } from './backend.ts';
import { defineAttention } from './families/attention.ts';
import { defineComparisons } from './families/comparison.ts';
import { defineConvolutions } from './families/convolution.ts';
import { defineCrossEntropy } from './families/cross-entropy.ts';
import { defineDepthwise } from './families/depthwise.ts';
import { defineElementwise } from './families/elementwise.ts';
import { defineEmbedding } from './families/embedding.ts';
import { defineIndexing } from './families/indexing.ts';
import { defineLayerStep } from './families/layer-step.ts';
import { defineLayouts } from './families/layout.ts';
import { defineMatrixProducts } from './families/matmul.ts';
import { defineNormalizations } from './families/normalization.ts';
import { defineOptimizers } from './families/optimizer.ts';
import { defineOrdered } from './families/ordered.ts';
import { definePooling } from './families/pooling.ts';
import { defineReductions } from './families/reduction.ts';
import { defineScatters } from './families/scatter.ts';
import { defineSequences } from './families/sequence.ts';
import { backendName } from './kernel-call.ts';
import type { KernelInfo } from './wasm.ts';

/** Above the stock `cpu` (1), below everything on a graphics card (2 and more). */
const priority = 1.5;

/**
 * Registers the backend `'ostinato-cpu'` with all its kernels; importing the package has done so. Ops without a kernel of
 * our own run the stock JavaScript one. Further calls do nothing.
 */
export function register(): void {
  if (findBackendFactory(backendName)) return;
  registerBackend(backendName, () => new OstinatoCpuBackend(), priority);
  copyRegisteredKernels('cpu', backendName);
  defineMatrixProducts();
  defineConvolutions();
  defineDepthwise();
  definePooling();
  defineElementwise();
  defineComparisons();
  defineReductions();
  defineLayouts();
  defineIndexing();
  defineScatters();
  defineOrdered();
  defineNormalizations();
  defineSequences();
  defineAttention();
  defineLayerStep();
  defineCrossEntropy();
  defineEmbedding();
  defineOptimizers();
}

/** Which build of the kernels runs on this machine, and why. Starts the backend if it has not been used yet. */
export function kernelInfo(): KernelInfo {
  const backend = findBackend(backendName) as OstinatoCpuBackend | null;
  if (backend) return backend.info;
  throw new ResourceError({
    where: 'kernelInfo',
    rule: `the backend '${backendName}' could not start; the console says why`,
  });
}
