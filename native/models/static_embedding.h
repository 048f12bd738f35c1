#pragma once

#include "models/architecture.h"

namespace st {

// A table of word embeddings, whose mean is the sentence embedding: StaticEmbedding of sentence-transformers, Model2Vec
// (Tulkens and van Dongen 2024).
std::unique_ptr<Model> make_static_embedding(const Config& config, bool pooler, const std::string& prefix,
                                             Layout& layout);
Description describe_static_embedding(const Config& config);
// torch.nn.EmbeddingBag.
Initial initial_static_embedding(const Config& config, const std::string& name, const std::vector<int64_t>& shape);

}  // namespace st
