#pragma once

#include <memory>
#include <string>

#include "models/head.h"
#include "models/seq2seq.h"

namespace st {

// A module { type: 'SpladePooling', pooling: 'max' | 'sum', activation: 'relu' | 'log1p_relu' }: the head of the
// architecture's masked language model, of whose logits log(1 + relu) is pooled over the tokens of a row, so that the
// sentence embedding is as wide as the vocabulary. The tensors of the head lie under `prefix` by their names in a
// checkpoint; its last layer is the table of `words`, unless it has a matrix of its own.
// Source: sentence-transformers, sparse_encoder/modules/splade_pooling.py.
std::unique_ptr<Head> make_splade_pooling(const std::string& type, const Config& config, const Config& module,
                                          const SharedWords& words, const std::string& prefix, Layout& layout);

}  // namespace st
