#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/parameters.h"
#include "ops/device_update.h"

namespace st {

// Elements [begin, end) of the flat buffers, which share a learning rate and a weight decay.
struct UpdateRange {
  int64_t begin, end;
  double lr, weight_decay;
};

// The same with a learning rate that lies on the device: 0-dim, float32.
struct QueuedRange {
  int64_t begin, end;
  at::Tensor rate;
  double weight_decay;
};

// What an update works on; `copy` of the values in another dtype, undefined where there is none.
struct FlatBuffers {
  at::Tensor values, gradients, copy;
};

class LazyRows;

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // Update number `step` (from 1) of some ranges, with gradients times `grad_factor`; sets the gradients to 0 and
  // renews the copies.
  virtual void update(const std::vector<UpdateRange>& ranges, int64_t step, double grad_factor,
                      const FlatBuffers& flat) = 0;
  // The same by numbers on the device, which is not waited for.
  virtual void queue_update(const std::vector<QueuedRange>& ranges, const cuda::UpdateScalars& scalars,
                            const FlatBuffers& flat) = 0;
  // Flat buffers as long as the gradients, by the name that stands before a tensor's: exp_avg, exp_avg_sq.
  virtual std::vector<std::pair<std::string, at::Tensor>> state() = 0;
  // For the token table, if updates of rows without gradient can be put off; else null.
  virtual std::unique_ptr<LazyRows> lazy_rows(Parameters&);
};

// By the `type` of the spec: adamw, sgd, rmsprop. `like`: the flat values; `size`: how many of them are trained.
std::unique_ptr<Optimizer> make_optimizer(const Config& spec, int64_t size, const at::Tensor& like);
// The names of state(), without making one.
std::vector<std::string> optimizer_state_names(const Config& spec);

}  // namespace st
