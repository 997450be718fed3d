import { show, TokenizerError } from './errors.ts';
import { listSpecialTokens, roles, type SpecialTokens } from './vocabulary.ts';

/** A JSON object whose fields have not been looked at. */
export type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Checks the fields that every saved tokenizer has.
 *
 * @throws TokenizerError when `value` is no saved tokenizer, is of a newer version, or of another type
 */
export function readHeader(where: string, value: unknown, type?: string): Fields {
  if (!isObject(value))
    throw new TokenizerError({ where, rule: 'a saved tokenizer is a JSON object', got: show(value) });
  if (value['format'] !== 'ostinato.tokenizer') {
    const hint = 'model' in value && 'added_tokens' in value;
    throw new TokenizerError({
      where,
      rule: 'format',
      expected: "'ostinato.tokenizer'",
      got: show(value['format']),
      ...(hint
        ? { advice: 'This looks like a tokenizer.json of Hugging Face, which this version does not read.' }
        : {}),
    });
  }
  if (value['version'] !== 1) {
    throw new TokenizerError({
      where,
      rule: 'version',
      expected: '1',
      got: show(value['version']),
      advice: 'A newer @ostinato/tokenizers may have saved it.',
    });
  }
  if (type !== undefined && value['type'] !== type) {
    throw new TokenizerError({ where, rule: 'type', expected: `'${type}'`, got: show(value['type']) });
  }
  return value;
}

/** @throws TokenizerError when a field is missing or there is one beside `names` and the header */
export function checkFields(where: string, fields: Fields, names: readonly string[]): void {
  const missing = names.find(field => !Object.hasOwn(fields, field));
  if (missing !== undefined) throw new TokenizerError({ where, rule: `the field '${missing}' is missing` });
  const known = ['format', 'version', 'type', ...names];
  const extra = Object.keys(fields).find(field => !known.includes(field));
  if (extra !== undefined) {
    throw new TokenizerError({ where, rule: `unknown field ${show(extra)}`, expected: known.join(', ') });
  }
}

/** @throws TokenizerError unless `value` is true or false */
export function readBoolean(where: string, name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new TokenizerError({ where, rule: `${name} must be true or false`, got: show(value) });
}

function checkToken(where: string, place: string, token: unknown): asserts token is string {
  if (typeof token === 'string' && token !== '') return;
  throw new TokenizerError({ where, rule: `${place} must be a string that is not empty`, got: show(token) });
}

/** @throws TokenizerError when a role is unknown or a token is no string */
export function readSpecialTokens(where: string, value: unknown): SpecialTokens {
  if (!isObject(value)) {
    throw new TokenizerError({ where, rule: 'specialTokens must be an object', got: show(value) });
  }
  for (const [role, token] of Object.entries(value)) {
    if (role === 'additional') {
      if (!Array.isArray(token)) {
        throw new TokenizerError({ where, rule: 'specialTokens.additional must be a list', got: show(token) });
      }
      for (const [i, each] of token.entries()) checkToken(where, `specialTokens.additional[${i}]`, each);
    } else if ((roles as readonly string[]).includes(role)) {
      checkToken(where, `specialTokens.${role}`, token);
    } else {
      const expected = [...roles, 'additional'].join(' | ');
      throw new TokenizerError({ where, rule: 'unknown special token', expected, got: show(role) });
    }
  }
  return value as SpecialTokens;
}

/** @throws TokenizerError when `value` is no list of strings or lacks a special token */
export function readVocabulary(where: string, value: unknown, specialTokens: SpecialTokens): readonly string[] {
  if (!Array.isArray(value)) {
    throw new TokenizerError({ where, rule: 'vocabulary must be a list', got: show(value) });
  }
  for (const [id, token] of value.entries()) checkToken(where, `vocabulary[${id}]`, token);
  const listed = new Set<unknown>(value);
  const lost = listSpecialTokens(specialTokens).find(token => !listed.has(token));
  if (lost !== undefined) {
    throw new TokenizerError({
      where,
      rule: 'the vocabulary must hold every special token',
      got: `none for ${show(lost)}`,
    });
  }
  return value as string[];
}
