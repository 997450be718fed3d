import { checkNumber } from '@ostinato/core';
import { badInput } from '../failure.ts';
import type { RequestLimits } from './service.ts';

const where = 'request';

interface Bounds {
  readonly integer?: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
}

type TextLimits = Pick<RequestLimits, 'maximumTexts' | 'maximumLength'>;

/** Reads the fields of a request's body; each may be asked for once, and `end` refuses what nobody asked for. */
export class Fields {
  readonly #body: Readonly<Record<string, unknown>>;
  readonly #known = new Set<string>();

  /** @throws ArgumentError when the body is no object */
  constructor(body: unknown) {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      throw badInput(where, 'the body must be a JSON object', JSON.stringify(body)?.slice(0, 40));
    }
    this.#body = body as Record<string, unknown>;
  }

  /** A text that may be empty. */
  text(name: string, { maximumLength }: Pick<TextLimits, 'maximumLength'>): string {
    const value = this.#take(name);
    if (typeof value !== 'string') throw badInput(where, `${name} must be a text`, shown(value));
    checkLength(name, value, maximumLength);
    return value;
  }

  /** Texts: at least one. */
  texts(name: string, { maximumTexts, maximumLength }: TextLimits): string[] {
    const value = this.#take(name);
    if (!Array.isArray(value) || !value.every(one => typeof one === 'string') || value.length === 0) {
      throw badInput(where, `${name} must be a list of texts`, shown(value));
    }
    if (value.length > maximumTexts) {
      throw badInput(where, `${name} must hold at most ${maximumTexts} texts`, String(value.length));
    }
    value.forEach((text, i) => {
      checkLength(`text ${i} of ${name}`, text, maximumLength);
    });
    return value;
  }

  optionalTexts(name: string, limits: TextLimits): string[] | undefined {
    return this.#has(name) ? this.texts(name, limits) : undefined;
  }

  number(name: string, bounds: Bounds): number | undefined {
    const value = this.#take(name);
    if (value === undefined) return undefined;
    checkNumber(where, name, value as number, bounds);
    return value as number;
  }

  flag(name: string): boolean {
    const value = this.#take(name);
    if (value === undefined || typeof value === 'boolean') return value ?? false;
    throw badInput(where, `${name} must be true or false`, shown(value));
  }

  /** Rows of numbers, all of one length. */
  rows(name: string, { width, most }: { readonly width: number; readonly most: number }): number[][] {
    const value = this.#take(name);
    if (!Array.isArray(value) || value.length === 0 || value.length > most) {
      const got = Array.isArray(value) ? `${value.length} rows` : shown(value);
      throw badInput(where, `${name} must be a list of 1 … ${most} rows`, got);
    }
    value.forEach((row, i) => {
      if (!Array.isArray(row) || row.length !== width) {
        const got = Array.isArray(row) ? `${row.length}` : shown(row);
        throw badInput(where, `row ${i} of ${name} must have ${width} number${width === 1 ? '' : 's'}`, got);
      }
      for (const number of row) checkNumber(where, `a value in row ${i} of ${name}`, number);
    });
    return value as number[][];
  }

  /** @throws ArgumentError naming a field that the task does not know */
  end(): void {
    const unknown = Object.keys(this.#body).find(name => !this.#known.has(name));
    if (unknown !== undefined)
      throw badInput(where, `the fields must be of ${[...this.#known].join(', ')}`, `'${unknown}'`);
  }

  #has(name: string): boolean {
    this.#known.add(name);
    return this.#body[name] !== undefined;
  }

  #take(name: string): unknown {
    this.#known.add(name);
    return this.#body[name];
  }
}

function checkLength(name: string, text: string, most: number): void {
  if (text.length > most) throw badInput(where, `${name} must have at most ${most} characters`, String(text.length));
}

const shown = (value: unknown): string =>
  value === undefined ? 'nothing' : (JSON.stringify(value) ?? '').slice(0, 40);
