import { loadCaptioner } from '@ostinato/tasks/captioning/node';
import { loadForecaster } from '@ostinato/tasks/forecasting/node';
import { loadLanguageModel } from '@ostinato/tasks/language-modeling/node';
import { loadTextClassifier } from '@ostinato/tasks/sentiment/node';
import { loadSequenceTagger } from '@ostinato/tasks/tagging/node';
import { loadTranslator } from '@ostinato/tasks/translation/node';
import { savedTask } from '../saved-task.ts';
import { generationService } from './generation.ts';
import { captioningService } from './pictures.ts';
import type { Service } from './service.ts';
import { classificationService, forecastingService, taggingService, translationService } from './texts.ts';

const services = {
  sentiment: async (path: string) => classificationService(await loadTextClassifier(path)),
  tagging: async (path: string) => taggingService(await loadSequenceTagger(path)),
  translation: async (path: string) => translationService(await loadTranslator(path)),
  captioning: async (path: string) => captioningService(await loadCaptioner(path)),
  forecasting: async (path: string) => forecastingService(await loadForecaster(path)),
  other: async (path: string) => generationService(await loadLanguageModel(path)),
} as const;

/** Loads a model, whatever its task. */
export async function loadService(path: string): Promise<Service> {
  return (await services[await savedTask(path)](path)) as Service;
}
