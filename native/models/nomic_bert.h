#pragma once

#include "models/architecture.h"

namespace st {

// NomicBERT (Nussbaum et al. 2024): BERT with rotary positions, a gate and few biases.
std::unique_ptr<Model> make_nomic_bert(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Description describe_nomic_bert(const Config& config);
// Of the Python code beside files on the hub.
std::vector<std::string_view> nomic_bert_classes();

}  // namespace st
