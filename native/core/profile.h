#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace st {

// The measurements between profile_start() and profile_stop().
struct Profile {
  struct Part {
    std::string name;
    int64_t calls = 0;
    double total_ms = 0;
    double own_ms = 0;  // without the parts inside it
  };
  struct Event {
    uint32_t part = 0;
    uint32_t thread = 0;
    double start_us = 0;  // since profile_start()
    double duration_us = 0;
  };
  double wall_ms = 0;
  std::vector<Part> parts;
  std::vector<Event> events;
  int64_t dropped = 0;  // events that were counted but not kept
};

// Only one profile at a time in a process: false while one is running.
bool profile_start();
// Empty if none is running. Unfinished parts are left out.
Profile profile_stop();

// A part of the work: the time from here to the end of the block. Costs one branch while no profile is running. Use
// it on the thread that calls an operator, never inside a parallel loop.
class ProfileScope {
 public:
  // `name` lives as long as the program.
  explicit ProfileScope(const char* name) {
    if (const uint32_t run = running_.load(std::memory_order_relaxed); run != 0) begin(name, run);
  }
  ~ProfileScope() {
    if (name_ != nullptr) end();
  }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  friend bool profile_start();
  friend Profile profile_stop();
  using Clock = std::chrono::steady_clock;

  void begin(const char* name, uint32_t run);
  void end();

  static std::atomic<uint32_t> running_;  // number of the profile; 0 = none

  const char* name_ = nullptr;
  uint32_t run_ = 0;
  Clock::time_point start_;
  Clock::duration inside_{};
  ProfileScope* outer_ = nullptr;
};

}  // namespace st
