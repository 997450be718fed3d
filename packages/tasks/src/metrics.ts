export * from '@ostinato/metrics';
