#ifndef OSTINATO_DROPOUT_H
#define OSTINATO_DROPOUT_H

#include "vector.h"

// What dropout multiplies elements `first`, which is even, to `first` + `count` − 1 with: 0 or 1 / (1 − rate). Written in units
// of 2·W.
void dropout_factors(float *factors, unsigned long long first, int count, double rate, unsigned key0, unsigned key1);

#endif
