#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "optim/lazy_rows.h"
#include "optim/optimizer.h"

namespace st {

// Values, gradients and optimiser of one set of parameters: the encoder's, its twin's, or one loss's. A `queued` one is
// updated by queue_update() on a device that is not waited for, else by update() on the CPU.
class Trained {
 public:
  // `prefix` stands before the layout's names.
  Trained(Parameters& parameters, std::string prefix, const Config& optimizer, bool queued = false);

  // Group of each named tensor, -1 = frozen; others are in group 0 (decay) or 1 (no decay).
  void set_groups(const std::map<std::string, int>& groups);
  // Frozen tensors do not count, and lose their gradient.
  double squared_norm();
  // One update, with a rate and a weight decay for each group. `keep_gradients`: do not zero them.
  void update(const std::vector<double>& rates, const std::vector<double>& weight_decays, double grad_factor,
              bool keep_gradients);
  // In place of an update.
  void drop_gradients();

  // The same with numbers that stay on the device (ops/device_update.h). They may be recorded and repeated; what the
  // host keeps is brought up to date by queued() alone.
  at::Tensor queue_squared_norm();  // float64, 0-dim
  // `rates_G`: float32, by group.
  void queue_update(const at::Tensor& rates_G, const std::vector<double>& weight_decays, const cuda::ClipState& clip,
                    bool clipped, bool keep_gradients);
  // Where the update was skipped.
  void queue_drop(const cuda::ClipState& clip);
  void queued();

  // The flat buffer that a name's prefix (grad., exp_avg., ...) asks for and the name in the layout; nothing for names
  // of other sets. Updates that were put off are done before.
  bool find(const std::string& name, at::Tensor& flat, std::string& in_layout) const;
  // After something was written to what find() gave; `gradients`: maybe to them.
  void loaded(bool gradients);
  const std::string& prefix() const { return prefix_; }
  Parameters& parameters() { return parameters_; }
  Gradients& gradients() { return gradients_; }

  // What the bias correction depends on. Waits for the device.
  int64_t updates() const;
  void set_updates(int64_t updates);

  bool used = false;  // whether a batch since the last update has reached it

 private:
  struct Segment {
    int64_t begin, end;
    int group;
    bool table;  // the token table, or rows of it
  };
  std::vector<Segment> with_gradients();

  Parameters& parameters_;
  std::string prefix_;
  Gradients gradients_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<LazyRows> lazy_rows_;
  std::vector<Segment> segments_;
  bool queued_;
  int64_t updates_ = 0;
  at::Tensor updates_there_;  // in its place where `queued`: float32, 0-dim, exact up to 2^24
};

}  // namespace st
