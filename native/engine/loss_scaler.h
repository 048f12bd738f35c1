#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace st {

// torch.amp.GradScaler with its defaults, for steps in float16, in which gradients below 6e-8 are 0. A loss is
// multiplied by the scale before it is differentiated, and the gradients are divided by it before they are used. If
// one is not finite, the update is skipped and the scale halved. After 2,000 updates in a row it is doubled. All calls
// but those of the state only queue work, on tensors at fixed addresses.
class LossScaler {
 public:
  explicit LossScaler(at::Device device);

  const at::Tensor& scale() const { return scale_; }  // float32, 0-dim
  // `skipped`: float32, 0-dim: 1 if a gradient was not finite, else 0.
  void update(const at::Tensor& skipped);

  struct State {
    double scale = 65536;
    int64_t growth_tracker = 0;  // updates since the last one that was skipped, or since the scale grew
  };
  // Waits for the device.
  State state() const;
  void set(const State& state);

 private:
  at::Tensor scale_, growth_tracker_;
};

}  // namespace st
