#pragma once

#include "models/architecture.h"

namespace st {

// The text model of Gemma 3 (Gemma Team 2025), and EmbeddingGemma, whose queries see both ways.
std::unique_ptr<Model> make_gemma3(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Description describe_gemma3(const Config& config);
ClassifierSpec classify_gemma3(const Config& config);
// Gemma3PreTrainedModel._init_weights.
Initial initial_gemma3(const Config& config, const std::string& name, const std::vector<int64_t>& shape);

}  // namespace st
