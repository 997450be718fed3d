import type { Job } from './batcher.ts';
import type { Fields } from './fields.ts';

/** What requests may ask for at most. */
export interface RequestLimits {
  /** Tokens of a generated text. */
  readonly maximumTokens: number;
  /** Texts of one request. */
  readonly maximumTexts: number;
  /** Characters of a text. */
  readonly maximumLength: number;
}

/** A loaded model and how requests reach it. */
export interface Service<Request = unknown> {
  readonly task: string;
  /** Where requests are posted: `/v1/translate`. */
  readonly path: string;
  /** What `GET /v1/model` says of the model. */
  readonly model: object;
  /** Whether an answer can come in pieces. */
  readonly streams: boolean;
  /** Reads a request. Throws ArgumentError for what cannot be computed. */
  parse(fields: Fields, limits: RequestLimits): Request;
  /** Requests of one kind share batches. */
  kind(request: Request): string;
  run(jobs: readonly Job<Request>[]): Promise<void>;
  dispose(): void;
}
