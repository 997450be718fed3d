"""PyTorch's half of the benchmarks: `python pytorch.py NAME THREADS SIZES` prints the milliseconds of the fastest run as JSON.

SIZES is a JSON object, or a list of them: then one figure each. Needs torch alone.
"""

import json
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import torch  # noqa: E402


def fastest(run, repetitions, warm_up=2):
    best = float("inf")
    for i in range(-warm_up, repetitions):
        start = time.perf_counter()
        run()
        if i >= 0:
            best = min(best, time.perf_counter() - start)
    return 1000 * best


def repetitions_for(run):
    """As many as fit about a second and a half, 3 to 200."""
    start = time.perf_counter()
    run()
    return max(3, min(200, int(1.5 / (time.perf_counter() - start + 1e-9))))


def timed(run):
    run()
    return fastest(run, repetitions_for(run))


def matmul(batch, m, k, n, transpose_a, transpose_b):
    a = torch.randn(batch, k, m).mT if transpose_a else torch.randn(batch, m, k)
    b = torch.randn(batch, n, k).mT if transpose_b else torch.randn(batch, k, n)
    return timed(lambda: torch.matmul(a, b))


def training_step(model, loss, rate=5e-3):
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)

    def step():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value.item()

    return timed(step)


class CharacterModel(torch.nn.Module):
    def __init__(self, vocabulary, embedding, hidden, cell):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, embedding)
        layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell]
        self.recurrent = layer(embedding, hidden, batch_first=True)
        self.output = torch.nn.Linear(hidden, vocabulary)

    def forward(self, inputs):
        return self.output(self.recurrent(self.embedding(inputs))[0])


def char_rnn(vocabulary, embedding, hidden, batch, time, cell="lstm"):
    model = CharacterModel(vocabulary, embedding, hidden, cell)
    inputs, targets = (torch.randint(0, vocabulary, (batch, time)) for _ in range(2))
    cross_entropy = torch.nn.functional.cross_entropy
    return training_step(model, lambda: cross_entropy(model(inputs).flatten(0, 1), targets.flatten()))


def generate(vocabulary, embedding, hidden, characters):
    """Milliseconds of so many greedy characters, one after the other, with LSTMCell."""
    table, cell = torch.nn.Embedding(vocabulary, embedding), torch.nn.LSTMCell(embedding, hidden)
    output = torch.nn.Linear(hidden, vocabulary)

    def run():
        token, state = torch.zeros(1, dtype=torch.long), None
        for _ in range(characters):
            state = cell(table(token), state)
            token = output(state[0]).argmax(1)
        return token.item()

    with torch.no_grad():
        return timed(run)


def elementwise(operation, size):
    x, y = torch.randn(size), torch.randn(size)
    runs = {"add": lambda: x + y, "tanh": lambda: x.tanh(), "exp": lambda: x.exp(), "copy": lambda: x.clone()}
    return timed(runs[operation])


benchmarks = {f.__name__: f for f in (matmul, char_rnn, generate, elementwise)}

if __name__ == "__main__":
    name, threads, sizes = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    run = benchmarks[name]
    print(json.dumps([run(**size) for size in sizes] if isinstance(sizes, list) else run(**sizes)))
