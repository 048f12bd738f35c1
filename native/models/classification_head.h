#pragma once

#include "models/head.h"

namespace st {

// The head of BertForSequenceClassification: first token, dense and tanh ("pooler"), dropout, classifier. It leaves
// logits [rows, numLabels] where other heads leave an embedding. Its tensors are the transformer's own in a checkpoint,
// so they are named under `prefix` of module 0: pooler.dense.{weight,bias}, classifier.{weight,bias}.
std::unique_ptr<Head> make_classification_head(const Config& spec, const std::string& prefix, int64_t token_width,
                                               Layout& layout);

}  // namespace st
