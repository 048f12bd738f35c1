#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "optim/lazy_rows.h"
#include "optim/optimizer.h"

namespace st {

// Values, gradients and optimiser of one set of parameters: the encoder's, its twin's, or one loss's. A `queued` set
// is updated by queue_update() on a device without waiting for it, any other by update() on the CPU.
class Trained {
 public:
  // `prefix` comes before the layout's names.
  Trained(Parameters& parameters, std::string prefix, const Config& optimizer, bool queued = false);

  // Group of each named tensor, -1 = frozen. Tensors without a group are in group 0 (decay) or 1 (no decay).
  void set_groups(const std::map<std::string, int>& groups);
  // Without frozen tensors, whose gradients are zeroed.
  double squared_norm();
  // One update, with a rate and a weight decay for each group. `keep_gradients`: do not zero them.
  void update(const std::vector<double>& rates, const std::vector<double>& weight_decays, double grad_factor,
              bool keep_gradients);
  // Replaces an update.
  void drop_gradients();
  // Of the trained weights, without the token table, whose updates may be postponed. Equal weights have equal ones.
  int64_t checksum() const;

  // The same with numbers that stay on the device (ops/device_update.h). These calls can be recorded and repeated.
  // Only queued() brings the host's state up to date.
  at::Tensor queue_squared_norm();  // float64, 0-dim
  // `rates_G`: float32, by group.
  void queue_update(const at::Tensor& rates_G, const std::vector<double>& weight_decays, const cuda::ClipState& clip,
                    bool clipped, bool keep_gradients);
  // For a skipped update.
  void queue_drop(const cuda::ClipState& clip);
  void queued();

  // The flat buffer for a name's prefix (grad., exp_avg., ...) and the name in the layout; false for names of other
  // sets. Does postponed updates first.
  bool find(const std::string& name, at::Tensor& flat, std::string& in_layout) const;
  // Call after writing to the buffer of find(). `gradients`: whether gradients may have changed.
  void loaded(bool gradients);
  const std::string& prefix() const { return prefix_; }
  Parameters& parameters() { return parameters_; }
  Gradients& gradients() { return gradients_; }

  // The number of updates, for the bias correction. Waits for the device.
  int64_t updates() const;
  void set_updates(int64_t updates);

  // Neighbours of one group in the flat buffers.
  struct Segment {
    int64_t begin, end;
    int group;
    bool table;  // whether it is the token table, or rows of it
  };
  const std::vector<Segment>& segments() const { return segments_; }
  // Those in which gradients may differ from 0: of the token table only the rows that batches have read.
  std::vector<Segment> with_gradients();

  // Whether it is updated by queue_update().
  bool is_queued() const { return queued_; }

  bool used = false;  // whether a batch since the last update used it

 private:
  Parameters& parameters_;
  std::string prefix_;
  Gradients gradients_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<LazyRows> lazy_rows_;
  std::vector<Segment> segments_;
  bool queued_;
  int64_t updates_ = 0;
  at::Tensor updates_there_;  // replaces updates_ where `queued`: float32, 0-dim, exact up to 2^24
};

}  // namespace st
