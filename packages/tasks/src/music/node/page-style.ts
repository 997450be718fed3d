/** Style sheet of the tunes page. */
export const pageStyle: string = `
:root {
  color-scheme: light dark;
  --paper: #fdfcf9; --card: #ffffff; --ink: #22262c; --faint: #66707c; --line: #e3e0d8; --accent: #a4421f;
  --good: #23734a; --bad: #a8321f; --fair: #86610f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #101216; --card: #171a20; --ink: #e4e7ec; --faint: #98a1ad; --line: #2a2f38; --accent: #ff9d72;
    --good: #6fce9c; --bad: #ff8f7d; --fair: #e2bd62;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 58rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif;
}
h1, h2 { font-family: "Iowan Old Style", "Palatino Linotype", Palatino, Georgia, serif; line-height: 1.2; font-weight: 600; }
h1 { font-size: clamp(1.8rem, 5vw, 2.6rem); margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; margin: 0; overflow-wrap: anywhere; }
.introduction { margin: 0 0 .5rem; max-width: 42rem; white-space: pre-line; }
.facts, .meta, footer { color: var(--faint); font-size: .9rem; margin: 0; }
figure { margin: 1.75rem 0 0; }
figure img { display: block; width: 100%; height: auto; border: 1px solid var(--line); border-radius: .6rem; }
.controls {
  position: sticky; top: 0; z-index: 1; display: flex; gap: .75rem; align-items: center; margin: 1.5rem 0 1rem; padding: .6rem 0;
  background: var(--paper); border-bottom: 1px solid var(--line); font-size: .9rem;
}
.controls label { display: flex; gap: .75rem; align-items: center; }
.controls output { min-width: 3.5rem; font-variant-numeric: tabular-nums; color: var(--faint); }
input[type="range"] { width: min(14rem, 40vw); accent-color: var(--accent); }
article {
  margin: 0 0 1.25rem; padding: 1.1rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
}
article > header { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; justify-content: space-between; }
.toolbar { display: flex; gap: .6rem; align-items: center; }
button, .toolbar a { font: inherit; font-size: .9rem; padding: .3rem .8rem; border-radius: 2rem; cursor: pointer; }
button { min-width: 5rem; border: 1px solid var(--accent); background: none; color: var(--accent); }
button:hover:enabled, button[aria-pressed="true"] { background: var(--accent); color: var(--card); }
button:disabled { border-color: var(--line); color: var(--faint); cursor: default; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.toolbar a { padding: .3rem 0; color: var(--faint); }
.score { margin: .75rem 0 .25rem; overflow-x: auto; }
.score svg { color: var(--ink); }
.score .sounding, .score .sounding * { color: var(--accent); fill: var(--accent); }
.verdict { font-size: .9rem; margin: .4rem 0 0; }
.valid .verdict { color: var(--good); }
.invalid .verdict { color: var(--bad); }
.problems, .remarks { margin: .3rem 0 0; padding-left: 1.2rem; font-size: .9rem; overflow-wrap: anywhere; }
.problems { color: var(--fair); }
details { margin-top: .6rem; font-size: .9rem; color: var(--faint); }
summary { cursor: pointer; }
pre { overflow-x: auto; padding: .8rem 1rem; background: var(--paper); border-radius: .4rem; color: var(--ink); font-size: .85rem; }
footer { margin-top: 2rem; }
`;
