/** Milliseconds that work goes on before it lets events in. */
const turnLength = 25;

/** When events were let in last. */
let lastTurn = 0;

/**
 * For loops that compute: lets timers, input and other requests in where 25 ms have passed since that was last done anywhere, then
 * looks at the signal. Awaiting a tensor's values does not let them in where these are there at once.
 *
 * @throws the signal's reason when it is aborted
 */
export async function yieldToEvents(signal?: AbortSignal | undefined): Promise<void> {
  if (performance.now() - lastTurn > turnLength) {
    await nextTurn();
    lastTurn = performance.now();
  }
  signal?.throwIfAborted();
}

/** Resolves when the event loop has served what waits. A timer would be held back to 4 ms, and a promise serves nobody. */
function nextTurn(): Promise<void> {
  return new Promise(resolve => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
