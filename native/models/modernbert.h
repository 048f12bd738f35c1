#pragma once

#include "models/architecture.h"

namespace st {

// ModernBERT (Warner et al. 2024): pre-norm, rotary positions, a gate, and layers that see only near tokens.
std::unique_ptr<Model> make_modernbert(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Description describe_modernbert(const Config& config);
ClassifierSpec classify_modernbert(const Config& config);
// ModernBertPreTrainedModel._init_weights.
Initial initial_modernbert(const Config& config, const std::string& name, const std::vector<int64_t>& shape);

}  // namespace st
