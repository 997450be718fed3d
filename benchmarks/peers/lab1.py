"""The run of `pnpm bench lab1` in PyTorch, from the same initial weights over the same windows.

python benchmarks/peers/lab1.py RUN.safetensors irish.abc     (LAB1_START of `pnpm bench lab1` writes the first; needs torch)
"""

import json
import struct
import sys

import torch

TIME = 100


def read(path):
    """Tensors of a safetensors file, by name."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    types = {"F32": torch.float32, "I32": torch.int32}
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        first, last = entry["data_offsets"]
        values = bytearray(data[8 + length + first : 8 + length + last])
        tensors[name] = torch.frombuffer(values, dtype=types[entry["dtype"]]).reshape(entry["shape"])
    return tensors


path, tunes = sys.argv[1:]
start = read(path)
with open(tunes, encoding="utf-8") as file:
    text = file.read()
index = {character: i for i, character in enumerate(sorted(set(text)))}
ids = torch.tensor([index[character] for character in text])

table, recurrent = start["embedding.table"], start["recurrent.layers.0.forward.recurrentWeight"]
embedding = torch.nn.Embedding.from_pretrained(table, freeze=False)
lstm = torch.nn.LSTM(table.shape[1], recurrent.shape[0], batch_first=True)
output = torch.nn.Linear(recurrent.shape[0], table.shape[0])
with torch.no_grad():  # both libraries order the gates i, f, g, o; ours has one bias
    lstm.weight_ih_l0.copy_(start["recurrent.layers.0.forward.inputWeight"].T)
    lstm.weight_hh_l0.copy_(recurrent.T)
    lstm.bias_ih_l0.copy_(start["recurrent.layers.0.forward.bias"])
    lstm.bias_hh_l0.zero_()
    output.weight.copy_(start["output.weight"].T)
    output.bias.copy_(start["output.bias"])
lstm.bias_hh_l0.requires_grad_(False)
parameters = [p for part in (embedding, lstm, output) for p in part.parameters() if p.requires_grad]
optimizer = torch.optim.Adam(parameters, lr=5e-3)

losses = []
for step, starts in enumerate(start["windows"].tolist(), 1):
    inputs = torch.stack([ids[first : first + TIME] for first in starts])
    targets = torch.stack([ids[first + 1 : first + TIME + 1] for first in starts])
    logits = output(lstm(embedding(inputs))[0])
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step in (1, 10, 20, 50):
        print(f"step {step}: {losses[-1]:.5f}", flush=True)
    if step in (200, 500, 1000):
        print(f"steps {step - 49} to {step}: {sum(losses[-50:]) / 50:.3f}", flush=True)
