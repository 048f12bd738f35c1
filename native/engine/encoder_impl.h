#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "engine/encoder.h"
#include "engine/network.h"

namespace st {

// The networks that an encoder and its trainer share, and who may use them.
struct Encoder::Impl {
  explicit Impl(const EncoderSpec& spec);

  std::vector<std::unique_ptr<Network>> networks;
  std::vector<Route> routes;
  Network& network;  // the first one
  std::atomic<bool> disposed{false};
  std::atomic<bool> has_trainer{false};

  void check_open() const { check(!disposed, "ERR_DISPOSED", "The encoder was disposed"); }

  Network& open() {
    check_open();
    for (const auto& each : networks) each->prepare();
    return network;
  }
  // Throws ERR_BUSY while there is a trainer.
  Network& untrained();
  // In front of the names of a network's tensors: nothing for the first one, "1:" for the second.
  static std::string prefix(size_t set) { return set == 0 ? "" : std::to_string(set) + ":"; }
  // The network of a tensor, whose prefix is removed from the name.
  Network& network_of(std::string& name) const;
  // Throws unless every column fits the network of its route.
  void validate(const RoutedBatch& batch) const;
  // Of each column.
  std::vector<Route> routes_of(const RoutedBatch& batch) const;
  // The columns one below the other.
  at::Tensor encode(const RoutedBatch& batch, EncoderOutput output) const;
};

}  // namespace st
