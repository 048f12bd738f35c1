#pragma once

#include "models/architecture.h"

namespace st {

// RoBERTa (Liu et al. 2019), XLM-RoBERTa (Conneau et al. 2020) and CamemBERT (Martin et al. 2020): BERT whose positions
// count from the padding token on.
std::unique_ptr<Model> make_roberta(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
std::unique_ptr<Model> make_xlm_roberta(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Description describe_roberta(const Config& config);
Description describe_xlm_roberta(const Config& config);
Description describe_camembert(const Config& config);
ClassifierSpec classify_roberta(const Config& config);
ClassifierSpec classify_xlm_roberta(const Config& config);
ClassifierSpec classify_camembert(const Config& config);

}  // namespace st
