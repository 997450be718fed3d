# pip install sacrebleu==2.6.0; python sacrebleu.py [seed [corpora]] > sacrebleu.json
# Random corpora, odd ones on purpose, and what sacreBLEU says of them.
import json
import random
import sys

from sacrebleu.metrics import BLEU, CHRF, TER

random.seed(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
words = (
    "the The a cat CAT dog's 3.5 1,000 5-year-old it's U.S. e-mail: a.b@c.de (hi) \"quoted\" &quot;x&quot; &amp;lt; "
    "<skipped> naïve İstanbul STRASSE straße ΟΔΟΣ x² ½ €5 我们 今天。 ガラス、 ー 「東京」 ㍿ 한국 Привет, 🙂 👩‍👩‍👧 é e\u0301 "
    "- -- … — ' ' , . ! n't 10% #1 a_b C++ [1] {2} ~ ` ^ $1,234.50 ٣٫٥ १२ ﬁ ǅ"
).split(" ")
spaces = [" "] * 12 + ["  ", "\t", "\u00a0", "\u3000", "\u2028", "\ufeff", "\u200b", "\x1c", "\x85", "\u2009"]


def sentence():
    if random.random() < 0.08:
        return random.choice(["", " ", "\t"])
    pieces = [random.choice(words) + random.choice(spaces) for _ in range(random.choice([1, 3, 6, 12, 30]))]
    return "".join(pieces) if random.random() < 0.3 else "".join(pieces)[:-1]


def changed(text):
    pieces = text.split(" ")
    for _ in range(random.randrange(4)):
        i = random.randrange(len(pieces))
        what = random.randrange(4)
        if what == 0:
            pieces[i] = random.choice(words)
        elif what == 1:
            pieces[i] = ""
        elif what == 2:
            j = random.randrange(len(pieces))
            pieces[i], pieces[j] = pieces[j], pieces[i]
        else:
            pieces = pieces[i:] + pieces[:i]
    return " ".join(pieces)


corpora = []
for n in range(int(sys.argv[2]) if len(sys.argv) > 2 else 14):
    size = random.choice([1, 2, 5])
    streams = random.choice([1, 1, 2, 3])
    references = [[sentence() for _ in range(size)] for _ in range(streams)]
    hypotheses = [changed(random.choice(references)[i]) for i in range(size)]
    scores = []
    for name, metric in [
        ("bleu", BLEU(tokenize="13a")),
        ("bleu", BLEU(tokenize="intl", lowercase=True)),
        ("bleu", BLEU(tokenize="char", smooth_method="floor")),
        ("bleu", BLEU(tokenize="none", smooth_method="add-k", smooth_value=0.125)),
        ("bleu", BLEU(smooth_method="none", effective_order=True, max_ngram_order=3)),
        ("chrf", CHRF(lowercase=True)),
        ("chrf", CHRF(word_order=2, whitespace=True)),
        ("chrf", CHRF(word_order=1, eps_smoothing=True, beta=3)),
        ("ter", TER()),
        ("ter", TER(normalized=True, asian_support=True, case_sensitive=True)),
        ("ter", TER(normalized=True, no_punct=True, asian_support=True)),
    ]:
        result = metric.corpus_score(hypotheses, references)
        scores.append([name, result.format(signature=str(metric.get_signature())), result.score])
    corpora.append({"hypotheses": hypotheses, "references": references, "scores": scores})
json.dump(corpora, sys.stdout, indent=0)
