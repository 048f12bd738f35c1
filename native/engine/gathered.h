#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/trainer.h"

namespace st {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Adds the milliseconds of its life.
class Timer {
 public:
  explicit Timer(double& total) : total_(total) {}
  ~Timer() { total_ += std::chrono::duration<double, std::milli>(Clock::now() - start_).count(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& total_;
  Clock::time_point start_ = Clock::now();
};

// What is gathered from batch to batch until it is reported.
struct Gathered {
  double loss_sum = 0;
  int64_t batches = 0, finite_batches = 0, updates = 0, skipped = 0, tokens = 0;
  double forward_ms = 0, backward_ms = 0, optimizer_ms = 0, mean_cosine = kNone;
  std::map<std::string, std::pair<double, int64_t>> components;

  void add(double loss, const std::vector<std::pair<std::string, double>>& logged);
  StepReport report(double grad_norm) const;
};

// Of all pairs of different rows.
double mean_cosine(const at::Tensor& x_BD);

}  // namespace st
