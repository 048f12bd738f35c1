#include "core/model_config.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace st {

namespace {

std::string range_of(int64_t least, int64_t most) {
  if (least == -ModelConfig::kMost) return "an integer";
  if (most == ModelConfig::kMost) return "an integer of at least " + std::to_string(least);
  return "an integer from " + std::to_string(least) + " to " + std::to_string(most);
}

std::string range_of(double least, double most) {
  std::string out = "a number";
  if (least > std::numeric_limits<double>::lowest()) out += " of at least " + Config(least).shown();
  if (most < std::numeric_limits<double>::max()) out += " and at most " + Config(most).shown();
  return out;
}

}  // namespace

const Config* ModelConfig::find(const std::string& key) const {
  const auto found = config_.object().find(key);
  return found == config_.object().end() ? nullptr : &found->second;
}

void ModelConfig::misfit(const std::string& key, const std::string& expected) const {
  const Config* found = find(key);
  fail("ERR_INVALID_MODEL", "Expected ", expected, " as ", key, " in config.json, found ",
       found != nullptr ? found->shown() : "nothing");
}

void ModelConfig::not_built(const std::string& key, const std::string& built) const {
  const Config* found = find(key);
  fail("ERR_NOT_IMPLEMENTED", "config.json has ", key, ": ", found != nullptr ? found->shown() : "nothing",
       ", which is not built yet", built.empty() ? "" : "; built: ", built);
}

int64_t ModelConfig::whole(const std::string& key, int64_t least, int64_t most) const {
  const double* value = find(key)->if_number();
  // Compared before the cast, because casting a value out of range is undefined.
  const bool fits = value != nullptr && *value == std::floor(*value) && *value >= static_cast<double>(least) &&
                    *value <= static_cast<double>(most);
  if (!fits) misfit(key, range_of(least, most));
  return static_cast<int64_t>(*value);
}

int64_t ModelConfig::size(const std::string& key, int64_t fallback, int64_t most) const {
  return find(key) == nullptr ? fallback : whole(key, 1, most);
}

int64_t ModelConfig::integer(const std::string& key, int64_t fallback, int64_t least, int64_t most) const {
  return has(key) ? whole(key, least, most) : fallback;
}

double ModelConfig::number(const std::string& key, double fallback, double least, double most) const {
  if (!has(key)) return fallback;
  const double* value = find(key)->if_number();
  if (value == nullptr || !(*value >= least && *value <= most)) misfit(key, range_of(least, most));
  return *value;
}

double ModelConfig::positive(const std::string& key, double fallback, double most) const {
  if (!has(key)) return fallback;
  const double* value = find(key)->if_number();
  if (value == nullptr || !(*value > 0 && *value <= most)) {
    misfit(key, "a number of at most " + Config(most).shown() + " and above 0");
  }
  return *value;
}

double ModelConfig::probability(const std::string& key, double fallback) const {
  // With probability 1 everything is dropped, so nothing is scaled.
  return number(key, fallback, 0, 0.9999);
}

bool ModelConfig::boolean(const std::string& key, bool fallback) const {
  if (!has(key)) return fallback;
  const bool* value = find(key)->if_boolean();
  if (value == nullptr) misfit(key, "true or false");
  return *value;
}

std::string ModelConfig::text(const std::string& key, const std::string& fallback) const {
  if (!has(key)) return fallback;
  const std::string* value = find(key)->if_string();
  if (value == nullptr) misfit(key, "a text");
  return *value;
}

void ModelConfig::only(const std::string& key, const std::vector<std::string>& built) const {
  if (!has(key) || std::find(built.begin(), built.end(), text(key, "")) != built.end()) return;
  std::string list;
  for (const std::string& value : built) list += (list.empty() ? "" : ", ") + Config(value).shown();
  not_built(key, list);
}

void ModelConfig::must_be(const std::string& key, bool built) const {
  if (boolean(key, built) != built) not_built(key, built ? "true" : "false");
}

}  // namespace st
