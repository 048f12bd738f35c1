#include "models/layer_types.h"

#include <string>

#include "core/error.h"
#include "core/model_config.h"

namespace st {

std::vector<bool> sliding_layers(const Config& given, int64_t layers) {
  const ModelConfig config(given);
  std::vector<bool> out;
  if (!config.has("layer_types")) return out;
  for (const std::string& type : given.strings("layer_types")) {
    const bool slides = type == "sliding_attention";
    if (!slides && type != "full_attention") config.not_built("layer_types", "full_attention and sliding_attention");
    out.push_back(slides);
  }
  check(static_cast<int64_t>(out.size()) == layers, "ERR_INVALID_MODEL", "Expected ", layers,
        " layer_types in config.json, one for each of num_hidden_layers, found ", out.size());
  return out;
}

}  // namespace st
