#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/config.h"

namespace st {

// The members of a config.json. A wrong value is ERR_INVALID_MODEL, an option that is not built is
// ERR_NOT_IMPLEMENTED. Messages name key, value and "config.json", which the caller replaces by the file's path.
class ModelConfig {
 public:
  static constexpr int64_t kMost = int64_t{1} << 53;

  explicit ModelConfig(const Config& config) : config_(config) {}

  // Present and not null.
  bool has(const std::string& key) const { return config_.has(key); }
  // An absent member gives `fallback`; null is refused.
  int64_t size(const std::string& key, int64_t fallback, int64_t most = kMostSize) const;
  // An absent or null member gives `fallback`.
  int64_t integer(const std::string& key, int64_t fallback, int64_t least = -kMost, int64_t most = kMost) const;
  double number(const std::string& key, double fallback, double least = std::numeric_limits<double>::lowest(),
                double most = std::numeric_limits<double>::max()) const;
  double positive(const std::string& key, double fallback, double most) const;  // above 0
  double probability(const std::string& key, double fallback) const;            // probability of a dropout
  bool boolean(const std::string& key, bool fallback) const;
  std::string text(const std::string& key, const std::string& fallback) const;

  // These refuse other values. An absent or null member passes.
  void only(const std::string& key, const std::vector<std::string>& built) const;
  void must_be(const std::string& key, bool built) const;
  [[noreturn]] void not_built(const std::string& key, const std::string& built) const;

 private:
  // Far beyond every existing model. Larger sizes are damage or malice.
  static constexpr int64_t kMostSize = 10'000'000;

  [[noreturn]] void misfit(const std::string& key, const std::string& expected) const;
  // Null for an absent member.
  const Config* find(const std::string& key) const;
  int64_t whole(const std::string& key, int64_t least, int64_t most) const;

  const Config& config_;
};

}  // namespace st
