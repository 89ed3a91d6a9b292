package main

import (
	"fmt"
	"slices"
	"strings"

	"mezzo/allocator"
	v1 "mezzo/api/mesos/v1"
	"mezzo/api/mesosjson"
	"mezzo/internal/errs"
	"mezzo/internal/flags"
	"mezzo/master"
	"mezzo/resources"
)

// Values of --offer_sizing.
const (
	sizingShared = "shared"
	sizingWhole  = "whole"
)

// offeringFlags are those that say who is offered what, for how long.
func offeringFlags(s *flags.Set, c *master.Config) {
	defaults := allocator.Config{}
	defaults.SetDefaults()
	c.MinOfferShare, c.MinAllocatableResources = defaults.MinShare, defaults.MinAllocatable
	c.RoleSorter, c.FrameworkSorter = "drf", "drf"
	s.Duration(&c.AllocationInterval, "allocation_interval", "Time between two rounds of offers to all.")
	s.Duration(&c.OfferTimeout, "offer_timeout", "An offer neither accepted nor declined is taken back after this time; 0secs: never.")
	s.Var("offer_sizing", "How much of an agent an offer has: shared, split among the frameworks that wait, or whole, as in\nMesos.",
		choice(func(v string) { c.WholeAgents = v == sizingWhole }, sizingShared, sizingWhole),
		func() string { return map[bool]string{false: sizingShared, true: sizingWhole}[c.WholeAgents] })
	s.Var("min_offer_share", "What a split leaves each framework at least, as \"cpus:1;mem:1024\".", func(v string) (err error) {
		if c.MinOfferShare, err = resources.ParseQuantities(v); c.MinOfferShare == nil {
			c.MinOfferShare = resources.Quantities{} // nil would be the default
		}
		return err
	}, func() string { return c.MinOfferShare.String() })
	s.Var("min_allocatable_resources", "What an offer has at least: one of these, as \"cpus:0.01|mem:32\".", func(v string) (err error) {
		c.MinAllocatableResources, err = resources.ParseAlternatives(v)
		return err
	}, func() string {
		var all []string
		for _, q := range c.MinAllocatableResources {
			all = append(all, q.String())
		}
		return strings.Join(all, "|")
	})
	s.Bool(&c.FilterGPUResources, "filter_gpu_resources", "Whether agents with GPUs are offered only to frameworks with the capability GPU_RESOURCES.")
	s.Strings(&c.FairSharingExcludedResourceNames, "fair_sharing_excluded_resource_names", "Resources that play no part in fairness, separated by commas.")
	sorters := []string{"drf", "random"}
	s.Var("role_sorter", "Which role is offered something first: drf, that with the least share, or random.",
		choice(func(v string) { c.RoleSorter = v }, sorters...), func() string { return c.RoleSorter })
	s.Var("framework_sorter", "The same for the frameworks in a role.",
		choice(func(v string) { c.FrameworkSorter = v }, sorters...), func() string { return c.FrameworkSorter })
	s.Var("weights", "Weights of roles at the start, as \"role=2,other=0.5\"; 1 unless given.", func(v string) (err error) {
		c.Weights, err = master.ParseWeights(v)
		return err
	}, func() string { return master.FormatWeights(c.Weights) })
}

// placeFlags tell where a master is, and whose agents it offers.
func placeFlags(s *flags.Set, c *master.Config) {
	s.Var("domain", "Region and zone of the master, as\n{\"fault_domain\":{\"region\":{\"name\":\"west\"},\"zone\":{\"name\":\"a\"}}}. Agents of other regions are offered\nto frameworks with the capability REGION_AWARE.", func(v string) error {
		d := &v1.DomainInfo{}
		if err := mesosjson.Unmarshal([]byte(v), d); err != nil {
			return err
		}
		c.Domain = d
		return nil
	}, func() string {
		if c.Domain == nil {
			return ""
		}
		text, err := mesosjson.Marshal(c.Domain)
		if err != nil {
			return ""
		}
		return string(text)
	})
	s.Path(&c.Whitelist, "whitelist", "File of the hosts whose agents are offered, one a line; read again every 5secs. All unless given.")
}

// choice makes a flag's setter that takes some words only.
func choice(set func(string), words ...string) func(string) error {
	return func(v string) error {
		if !slices.Contains(words, v) {
			return fmt.Errorf("want %s: %w", strings.Join(words, " or "), errs.Invalid)
		}
		set(v)
		return nil
	}
}
