/** Whether `@tensorflow/tfjs-node` is installed and works; importing it registers its backend, `'tensorflow'`. */
export async function hasTfjsNode(): Promise<boolean> {
  const name = '@tensorflow/tfjs-node'; // not a dependency: it downloads a library of its own when it is installed
  return import(name).then(
    () => true,
    () => false,
  );
}
