#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "core/config.h"

namespace st {

// The members of a config.json. What does not fit is ERR_INVALID_MODEL, what is known and not built
// ERR_NOT_IMPLEMENTED: the message names key and value and says "config.json", for which the caller puts the file.
class ModelConfig {
 public:
  static constexpr int64_t kMost = int64_t{1} << 53;

  explicit ModelConfig(const Config& config) : config_(config) {}

  // Present and not null.
  bool has(const std::string& key) const { return config_.has(key); }
  // An absent member is `fallback`; null is none of these.
  int64_t size(const std::string& key, int64_t fallback, int64_t most = kMostSize) const;
  // An absent or null member is `fallback`.
  int64_t integer(const std::string& key, int64_t fallback, int64_t least = -kMost, int64_t most = kMost) const;
  double number(const std::string& key, double fallback, double least = std::numeric_limits<double>::lowest(),
                double most = std::numeric_limits<double>::max()) const;
  double positive(const std::string& key, double fallback, double most) const;  // above 0
  double probability(const std::string& key, double fallback) const;            // of a dropout
  bool boolean(const std::string& key, bool fallback) const;
  std::string text(const std::string& key, const std::string& fallback) const;

  // Refuse another value; an absent or null member passes.
  void only(const std::string& key, const std::vector<std::string>& built) const;
  void must_be(const std::string& key, bool built) const;
  [[noreturn]] void not_built(const std::string& key, const std::string& built) const;

 private:
  // Far beyond every model that there is: what is larger is damage or malice.
  static constexpr int64_t kMostSize = 10'000'000;

  [[noreturn]] void misfit(const std::string& key, const std::string& expected) const;
  // Null for an absent member.
  const Config* find(const std::string& key) const;
  int64_t whole(const std::string& key, int64_t least, int64_t most) const;

  const Config& config_;
};

}  // namespace st
