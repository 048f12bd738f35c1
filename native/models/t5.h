#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "models/description.h"
#include "models/initial.h"
#include "models/model.h"

namespace st {

// The encoder of T5 (Raffel et al. 2020) and mT5 (Xue et al. 2021).
Description describe_t5(const Config& config);
Description describe_mt5(const Config& config);
std::unique_ptr<Model> make_t5(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
std::unique_ptr<Model> make_mt5(const Config& config, bool pooler, const std::string& prefix, Layout& layout);
Initial initial_t5(const Config& config, const std::string& name, const std::vector<int64_t>& shape);
Initial initial_mt5(const Config& config, const std::string& name, const std::vector<int64_t>& shape);

}  // namespace st
