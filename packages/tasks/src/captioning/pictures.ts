import { ArgumentError, checkNumber } from '@ostinato/core';
import * as tf from '@tensorflow/tfjs-core';

/** A picture of 8 bits a channel: red, green, blue, row after row; a fourth channel, if there is one, is opacity. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** width · height · 3, or · 4 with opacity. */
  readonly data: Uint8Array | Uint8ClampedArray;
}

/**
 * A picture as a model reads it: on white, its longer side `side` pixels, the rest filled with white on both sides.
 *
 * @returns float32, side · side · 3 values from 0 to 1
 * @throws ArgumentError when the picture has no pixels or another number of bytes than its size says
 */
export function pictureValues({ width, height, data }: Picture, side: number): Float32Array {
  const where = 'pictureValues';
  for (const [name, value] of Object.entries({ width, height, side })) {
    checkNumber(where, name, value, { integer: true, min: 1 });
  }
  const channels = data.length / (width * height);
  if (channels !== 3 && channels !== 4) {
    const expected = `${3 * width * height} or ${4 * width * height}`;
    throw new ArgumentError({ where, rule: 'data must hold 3 or 4 bytes a pixel', expected, got: `${data.length}` });
  }
  return tf.tidy(() => {
    const pixels = tf.tensor3d(Float32Array.from(data), [height, width, channels]);
    const colour = tf.div(tf.slice(pixels, [0, 0, 0], [-1, -1, 3]), 255) as tf.Tensor3D;
    const opacity = channels === 4 ? tf.div(tf.slice(pixels, [0, 0, 3], [-1, -1, 1]), 255) : tf.scalar(1);
    const onWhite = tf.add(tf.mul(colour, opacity), tf.sub(1, opacity)) as tf.Tensor3D;
    const scale = side / Math.max(width, height);
    const [rows, columns] = [height, width].map(length => Math.max(1, Math.round(length * scale))) as [number, number];
    const sized = shrink(onWhite, rows, columns);
    const [top, left] = [Math.floor((side - rows) / 2), Math.floor((side - columns) / 2)];
    const padding: [number, number][] = [
      [top, side - rows - top],
      [left, side - columns - left],
      [0, 0],
    ];
    return tf.pad(sized, padding, 1).dataSync() as Float32Array;
  });
}

/** Means of whole blocks while the picture is more than twice as large, so that no pixel is left out, then between neighbours. */
function shrink(picture: tf.Tensor3D, rows: number, columns: number): tf.Tensor3D {
  let x = picture;
  while (x.shape[0] >= 2 * rows && x.shape[1] >= 2 * columns) x = tf.avgPool(x, 2, 2, 'same');
  if (x.shape[0] === rows && x.shape[1] === columns) return x;
  return tf.image.resizeBilinear(x, [rows, columns], false, true);
}

/** A picture moved by whole pixels and, perhaps, mirrored: what comes in at the border is white. */
export function moved(
  values: Float32Array,
  side: number,
  { down, right, mirror }: { readonly down: number; readonly right: number; readonly mirror: boolean },
): Float32Array {
  const out = new Float32Array(values.length).fill(1);
  for (let y = Math.max(0, down); y < Math.min(side, side + down); y++) {
    for (let x = Math.max(0, right); x < Math.min(side, side + right); x++) {
      const column = mirror ? side - 1 - (x - right) : x - right;
      const from = 3 * ((y - down) * side + column);
      out.set(values.subarray(from, from + 3), 3 * (y * side + x));
    }
  }
  return out;
}
