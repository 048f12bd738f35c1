#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "engine/trainer.h"
#include "losses/loss.h"

namespace st {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// Adds the milliseconds between its construction and its destruction.
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

// Sums of losses since the last report. Reading a loss waits for its device.
struct Gathered {
  double sum = 0;
  int64_t finite = 0;  // batches
  std::map<std::string, std::pair<double, int64_t>> components;

  void add(const LossValue& value);
  void report(StepReport& out) const;
};

// The mean over all pairs of different rows, from cosine_squares(); NaN without a pair.
double mean_cosine(double squares, int64_t rows);
// The squared length of the sum of all rows, after each was scaled to length 1.
at::Tensor cosine_squares(const at::Tensor& x_BD);

}  // namespace st
