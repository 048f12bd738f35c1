#pragma once

#include "models/architecture.h"

namespace st {

// ModernBERT (Warner et al. 2024): pre-norm, rotary positions, a gate, and layers that see only near tokens.
std::unique_ptr<Model> make_modernbert(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Description describe_modernbert(const Config& config);
ClassifierSpec classify_modernbert(const Config& config);

}  // namespace st
