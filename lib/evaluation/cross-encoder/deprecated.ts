/** Names of these evaluators before sentence-transformers 4. Each constructor warns that its name is deprecated. */
import {
  CrossEncoderClassificationEvaluator,
  type CrossEncoderClassificationEvaluatorOptions,
} from './classification.js'
import type { InputExample, PairOptions } from './common.js'
import { CrossEncoderCorrelationEvaluator, type CrossEncoderCorrelationEvaluatorOptions } from './correlation.js'
import { CrossEncoderRerankingEvaluator, type CrossEncoderRerankingEvaluatorOptions } from './reranking.js'

function warn(old: string, now: string): void {
  process.emitWarning(`${old} has been renamed: use ${now}`, 'DeprecationWarning')
}

/** Options of a classification from examples. */
function classification(
  examples: readonly InputExample[],
  options: PairOptions,
): CrossEncoderClassificationEvaluatorOptions {
  return { ...options, sentencePairs: examples.map(({ texts }) => texts), labels: examples.map(({ label }) => label) }
}

/** @deprecated Use {@link CrossEncoderClassificationEvaluator}. */
export class CEBinaryAccuracyEvaluator extends CrossEncoderClassificationEvaluator {
  constructor(options: CrossEncoderClassificationEvaluatorOptions) {
    warn('CEBinaryAccuracyEvaluator', 'CrossEncoderClassificationEvaluator')
    super(options)
  }

  static fromInputExamples(examples: readonly InputExample[], options: PairOptions = {}): CEBinaryAccuracyEvaluator {
    return new CEBinaryAccuracyEvaluator(classification(examples, options))
  }
}

/** @deprecated Use {@link CrossEncoderClassificationEvaluator}. */
export class CEBinaryClassificationEvaluator extends CrossEncoderClassificationEvaluator {
  constructor(options: CrossEncoderClassificationEvaluatorOptions) {
    warn('CEBinaryClassificationEvaluator', 'CrossEncoderClassificationEvaluator')
    super(options)
  }

  static fromInputExamples(
    examples: readonly InputExample[],
    options: PairOptions = {},
  ): CEBinaryClassificationEvaluator {
    return new CEBinaryClassificationEvaluator(classification(examples, options))
  }
}

/** @deprecated Use {@link CrossEncoderClassificationEvaluator}. */
export class CEF1Evaluator extends CrossEncoderClassificationEvaluator {
  constructor(options: CrossEncoderClassificationEvaluatorOptions) {
    warn('CEF1Evaluator', 'CrossEncoderClassificationEvaluator')
    super(options)
  }

  static fromInputExamples(examples: readonly InputExample[], options: PairOptions = {}): CEF1Evaluator {
    return new CEF1Evaluator(classification(examples, options))
  }
}

/** @deprecated Use {@link CrossEncoderClassificationEvaluator}. */
export class CESoftmaxAccuracyEvaluator extends CrossEncoderClassificationEvaluator {
  constructor(options: CrossEncoderClassificationEvaluatorOptions) {
    warn('CESoftmaxAccuracyEvaluator', 'CrossEncoderClassificationEvaluator')
    super(options)
  }

  static fromInputExamples(examples: readonly InputExample[], options: PairOptions = {}): CESoftmaxAccuracyEvaluator {
    return new CESoftmaxAccuracyEvaluator(classification(examples, options))
  }
}

/** @deprecated Use {@link CrossEncoderCorrelationEvaluator}. */
export class CECorrelationEvaluator extends CrossEncoderCorrelationEvaluator {
  constructor(options: CrossEncoderCorrelationEvaluatorOptions) {
    warn('CECorrelationEvaluator', 'CrossEncoderCorrelationEvaluator')
    super(options)
  }
}

/** @deprecated Use {@link CrossEncoderRerankingEvaluator}. */
export class CERerankingEvaluator extends CrossEncoderRerankingEvaluator {
  constructor(options: CrossEncoderRerankingEvaluatorOptions) {
    warn('CERerankingEvaluator', 'CrossEncoderRerankingEvaluator')
    super(options)
  }
}
