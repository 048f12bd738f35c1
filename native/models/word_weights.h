#pragma once

#include <memory>

#include "models/architecture.h"
#include "models/head.h"

namespace st {

// A weight for each token of the vocabulary, such as its inverse document frequency: SparseStaticEmbedding of
// sentence-transformers. The architecture is the table [V, 1].
inline constexpr const char* kWordWeights = "sparse_static_embedding";
std::unique_ptr<Model> make_word_weights(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Description describe_word_weights(const Config& config);
Initial initial_word_weights(const Config& config, const std::string& name, const std::vector<int64_t>& shape);

// Its sentence embedding, as wide as the vocabulary: the weights of the tokens that a row has, each once.
std::unique_ptr<Head> make_word_presence(int64_t vocabulary);

}  // namespace st
