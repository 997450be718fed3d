export { type PageTune, type TunesPageOptions, tunesToHtml } from './tunes-page.ts';
