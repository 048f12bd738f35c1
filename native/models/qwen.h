#pragma once

#include "models/architecture.h"

namespace st {

// Qwen2 (Yang et al. 2024), with biases of queries, keys and values, and Qwen3 (Yang et al. 2025), with norms of
// queries and keys instead.
std::unique_ptr<Model> make_qwen2(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
std::unique_ptr<Model> make_qwen3(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Description describe_qwen2(const Config& config);
Description describe_qwen3(const Config& config);
ClassifierSpec classify_qwen2(const Config& config);
ClassifierSpec classify_qwen3(const Config& config);

}  // namespace st
