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


def training_step(model, loss, rate=5e-3, optimizer=torch.optim.Adam):
    optimizer = optimizer(model.parameters(), lr=rate)

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


class Block(torch.nn.Module):
    """A layer of nanoGPT."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.attention = torch.nn.Linear(width, 3 * width, bias=False)
        self.projection = torch.nn.Linear(width, width, bias=False)
        self.hidden = torch.nn.Linear(width, 4 * width, bias=False)
        self.output = torch.nn.Linear(4 * width, width, bias=False)

    def forward(self, x, cache=None):
        batch, time, width = x.shape
        heads = self.attention(self.norm1(x)).view(batch, time, 3, self.heads, width // self.heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        if cache is not None:
            keys, values, length = cache
            keys[:, :, length : length + time] = k
            values[:, :, length : length + time] = v
            k, v = keys[:, :, : length + time], values[:, :, : length + time]
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=cache is None)
        x = x + self.projection(y.transpose(1, 2).reshape(batch, time, width))
        return x + self.output(torch.nn.functional.gelu(self.hidden(self.norm2(x)), approximate="tanh"))


class GPT(torch.nn.Module):
    def __init__(self, vocabulary, block, layers, heads, width):
        super().__init__()
        self.tokens, self.positions = torch.nn.Embedding(vocabulary, width), torch.nn.Embedding(block, width)
        self.blocks = torch.nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = torch.nn.LayerNorm(width)
        self.output = torch.nn.Linear(width, vocabulary, bias=False)
        self.output.weight = self.tokens.weight

    def forward(self, ids, caches=None, length=0):
        x = self.tokens(ids) + self.positions.weight[length : length + ids.shape[1]]
        for i, block in enumerate(self.blocks):
            x = block(x, None if caches is None else (*caches[i], length))
        return self.output(self.norm(x))


def gpt(batch, **sizes):
    model = GPT(**sizes)
    inputs, targets = (torch.randint(0, sizes["vocabulary"], (batch, sizes["block"])) for _ in range(2))
    cross_entropy = torch.nn.functional.cross_entropy
    loss = lambda: cross_entropy(model(inputs).flatten(0, 1), targets.flatten())  # noqa: E731
    return training_step(model, loss, 1e-3, torch.optim.AdamW)


def gpt_generate(tokens, **sizes):
    """Milliseconds of so many greedy tokens, block after block, each from an empty preallocated cache to a full one."""
    model = GPT(**sizes)
    shape = (1, sizes["heads"], sizes["block"], sizes["width"] // sizes["heads"])
    caches = [(torch.zeros(shape), torch.zeros(shape)) for _ in range(sizes["layers"])]

    def run():
        for _ in range(tokens // sizes["block"]):
            token = torch.zeros(1, 1, dtype=torch.long)
            for length in range(sizes["block"]):
                token = model(token, caches, length)[:, -1:].argmax(-1)
                token.item()

    with torch.inference_mode():
        return timed(run)


class Translator(torch.nn.Module):
    def __init__(self, vocabulary, layers, heads, width, feed_forward, time):
        super().__init__()
        self.source, self.target = torch.nn.Embedding(vocabulary, width), torch.nn.Embedding(vocabulary, width)
        self.transformer = torch.nn.Transformer(
            width, heads, layers, layers, feed_forward, dropout=0.0, batch_first=True
        )
        self.output = torch.nn.Linear(width, vocabulary)
        self.scale = width**0.5
        angles = torch.arange(time)[:, None] * 10000 ** (-torch.arange(0, width, 2) / width)
        self.positions = torch.stack([angles.sin(), angles.cos()], 2).flatten(1)
        self.mask = torch.nn.Transformer.generate_square_subsequent_mask(time)

    def forward(self, source, target):
        source, target = (self.scale * e(x) + self.positions for e, x in ((self.source, source), (self.target, target)))
        return self.output(self.transformer(source, target, tgt_mask=self.mask, tgt_is_causal=True))


def translation(vocabulary, layers, heads, width, feedForward, batch, time):  # noqa: N803
    model = Translator(vocabulary, layers, heads, width, feedForward, time)
    source, target, labels = (torch.randint(0, vocabulary, (batch, time)) for _ in range(3))
    cross_entropy = torch.nn.functional.cross_entropy
    loss = lambda: cross_entropy(model(source, target).flatten(0, 1), labels.flatten())  # noqa: E731
    return training_step(model, loss, 1e-3, torch.optim.AdamW)


class ResidualBlock(torch.nn.Module):
    """Stem, two convolutions with a skip, a strided one; batch normalisation and ReLU after each; the mean over the picture."""

    def __init__(self, stem, wide):
        super().__init__()
        shapes = [(3, stem, 1), (stem, stem, 1), (stem, stem, 1), (stem, wide, 2)]
        self.layers = torch.nn.ModuleList(
            torch.nn.Sequential(
                torch.nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), torch.nn.BatchNorm2d(outputs)
            )
            for inputs, outputs, stride in shapes
        )

    def forward(self, x):
        relu = torch.relu
        stem = relu(self.layers[0](x))
        block = relu(stem + self.layers[2](relu(self.layers[1](stem))))
        return relu(self.layers[3](block)).mean((2, 3))


def conv(batch, side, stem, wide):
    """Milliseconds forward and of a step with gradients, each in the better of the two memory formats."""
    times = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        model = ResidualBlock(stem, wide).to(memory_format=memory_format)
        images = torch.randn(batch, 3, side, side).to(memory_format=memory_format)

        def forward():
            with torch.no_grad():
                return model(images).sum().item()

        def step():
            model.zero_grad()
            loss = model(images).square().mean()
            loss.backward()
            return loss.item()

        times.append((timed(forward), timed(step)))
    return [min(column) for column in zip(*times)]


benchmarks = {f.__name__: f for f in (matmul, char_rnn, generate, gpt, gpt_generate, translation, elementwise, conv)}

if __name__ == "__main__":
    name, threads, sizes = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    run = benchmarks[name]
    print(json.dumps([run(**size) for size in sizes] if isinstance(sizes, list) else run(**sizes)))
