#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace st {

// Watches, from a thread of its own, what a device does together with the devices of other ranks. A rank that is lost
// lets the devices of all others wait without end, and with them the hosts, wherever they wait for their device. So the
// watch gives up what takes longer than the timeout, what has failed, and what cannot end because ranks are in trouble.
class DeviceWatch {
 public:
  struct Rules {
    std::chrono::milliseconds timeout;   // for one piece of work, once those before it are done
    std::chrono::milliseconds patience;  // after which it is asked whether ranks are in trouble
    std::chrono::milliseconds pause;     // between two looks
    std::function<bool()> trouble;       // may take long
    std::function<void()> give_up;       // ends all work that is under way; may take long
  };
  // The functions outlive the watch where they take long.
  explicit DeviceWatch(Rules rules);
  // Nothing is given up any more.
  ~DeviceWatch();
  DeviceWatch(const DeviceWatch&) = delete;
  DeviceWatch& operator=(const DeviceWatch&) = delete;

  // More work, in the order in which the device does it. `is_done` throws where it has failed.
  void add(std::function<bool()> is_done);
  // Looks now. Why all work was given up; empty: it was not.
  std::string failure();
  // Waits until all work is done. False: it was given up, or takes longer than this.
  bool wait_all(std::chrono::milliseconds limit);
  // Gives up all work, unless that was done before. Waits for it, but not longer than this.
  void give_up(const std::string& why, std::chrono::milliseconds limit);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace st
