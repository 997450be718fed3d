/**
 * Script of the tunes page. It draws each tune with abcjs and plays its MIDI file with webaudio-tinysynth; both are inlined
 * before it. The notes that sound are found from the clock of the sound, so that the two cannot drift apart.
 */
export const pageScript: string = `
'use strict';
const tunes = JSON.parse(document.getElementById('tunes').textContent);
const articles = [...document.querySelectorAll('article')];
const tempo = document.getElementById('tempo');
const narrow = matchMedia('(max-width: 640px)');
const tempoOffset = 26; // of the three tempo bytes in the files of tuneToMidi
let synth = null;
let playing = null;

/** Draws a tune and lists its notes as played: start and end in quarter notes, and the elements of the score. */
function draw(index) {
  const score = articles[index].querySelector('.score');
  const layout = narrow.matches
    ? { staffwidth: 380, wrap: { minSpacing: 1.5, maxSpacing: 2.7, preferredMeasuresPerLine: 2 } }
    : { staffwidth: 780 };
  try {
    const tune = ABCJS.renderAbc(score, tunes[index].score, {
      responsive: 'resize', add_classes: true, paddingleft: 0, paddingright: 0, paddingtop: 0, ...layout,
    })[0];
    const notes = tune.setUpAudio({}).tracks.flat().filter(item => item.cmd === 'note' && item.startChar !== undefined);
    tunes[index].notes = notes.map(note => ({
      start: 4 * note.start,
      end: 4 * (note.start + note.duration),
      elements: (tune.getElementFromChar(note.startChar)?.abselem?.elemset ?? []).filter(Boolean),
    }));
  } catch (error) {
    score.textContent = 'This tune could not be drawn: ' + error.message;
    tunes[index].notes = [];
  }
}

function highlight(elements) {
  for (const element of document.querySelectorAll('.sounding')) {
    if (!elements.has(element)) element.classList.remove('sounding');
  }
  for (const element of elements) element.classList.add('sounding');
}

function stop() {
  if (!playing) return;
  synth.stopMIDI();
  const button = articles[playing.index].querySelector('button');
  button.textContent = 'Play';
  button.setAttribute('aria-pressed', 'false');
  playing = null;
  highlight(new Set());
}

function follow() {
  if (!playing) return;
  const now = ((synth.getAudioContext().currentTime - playing.startedAt) * playing.quartersPerMinute) / 60;
  const { notes } = tunes[playing.index];
  highlight(new Set(notes.filter(note => note.start <= now && now < note.end).flatMap(note => note.elements)));
  if (synth.getPlayStatus().play === 0 && now > playing.end + 1) stop();
  else requestAnimationFrame(follow);
}

function play(index) {
  stop();
  synth ??= new WebAudioTinySynth();
  const context = synth.getAudioContext();
  context.resume();
  const file = Uint8Array.from(atob(tunes[index].midi), character => character.charCodeAt(0));
  const written = (file[tempoOffset] << 16) | (file[tempoOffset + 1] << 8) | file[tempoOffset + 2];
  const quartersPerMinute = Math.max(Math.round((6e7 / written) * (tempo.valueAsNumber / 100)), 5);
  const microseconds = Math.floor(6e7 / quartersPerMinute);
  file.set([microseconds >> 16, (microseconds >> 8) & 255, microseconds & 255], tempoOffset);
  synth.loadMIDI(file.buffer);
  synth.playMIDI(); // starts 0.1 s from now
  const end = Math.max(...tunes[index].notes.map(note => note.end), 0);
  playing = { index, quartersPerMinute, startedAt: context.currentTime + 0.1, end };
  const button = articles[index].querySelector('button');
  button.textContent = 'Stop';
  button.setAttribute('aria-pressed', 'true');
  requestAnimationFrame(follow);
}

for (const [index, article] of articles.entries()) {
  draw(index);
  article.querySelector('button').addEventListener('click', () => (playing?.index === index ? stop() : play(index)));
}
narrow.addEventListener('change', () => tunes.forEach((_, index) => draw(index)));
tempo.addEventListener('input', () => (document.getElementById('tempo-value').textContent = tempo.value + ' %'));
tempo.addEventListener('change', () => playing && play(playing.index));
addEventListener('keydown', event => event.key === 'Escape' && stop());
`;
