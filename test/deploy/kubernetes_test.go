package deploy

import (
	"maps"
	"net/netip"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// manifests are the objects that kustomize makes of a folder.
type manifests struct {
	deployments map[string]*appsv1.Deployment
	jobs        map[string]*batchv1.Job
	services    map[string]*corev1.Service
	configs     map[string]*corev1.ConfigMap
	secrets     map[string]*corev1.Secret
	ingresses   map[string]*networkingv1.Ingress
	policies    map[string]*networkingv1.NetworkPolicy
	budgets     map[string]*policyv1.PodDisruptionBudget
	namespaces  map[string]bool
}

// add decodes an object strictly into the type that the API server has for it.
func (m *manifests) add(t testing.TB, text []byte) {
	t.Helper()
	var head metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(text, &head); err != nil {
		t.Fatal(err)
	}
	if m.namespaces == nil {
		m.namespaces = map[string]bool{}
	}
	m.namespaces[head.Namespace] = true
	switch kind := head.APIVersion + " " + head.Kind; kind {
	case "apps/v1 Deployment":
		keep(t, &m.deployments, head.Name, text)
	case "batch/v1 Job":
		keep(t, &m.jobs, head.Name, text)
	case "v1 Service":
		keep(t, &m.services, head.Name, text)
	case "v1 ConfigMap":
		keep(t, &m.configs, head.Name, text)
	case "v1 Secret":
		keep(t, &m.secrets, head.Name, text)
	case "networking.k8s.io/v1 Ingress":
		keep(t, &m.ingresses, head.Name, text)
	case "networking.k8s.io/v1 NetworkPolicy":
		keep(t, &m.policies, head.Name, text)
	case "policy/v1 PodDisruptionBudget":
		keep(t, &m.budgets, head.Name, text)
	default:
		t.Errorf("%s %s: nothing here holds this kind", kind, head.Name)
	}
}

func keep[T any](t testing.TB, all *map[string]*T, name string, text []byte) {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict(text, object); err != nil {
		t.Errorf("%T %s: %v", object, name, err)
	}
	if *all == nil {
		*all = map[string]*T{}
	}
	if (*all)[name] != nil {
		t.Errorf("there are two %T %s", object, name)
	}
	(*all)[name] = object
}

// kustomized returns the objects of base and example.
func kustomized(t *testing.T, each func(t *testing.T, m *manifests)) {
	for _, folder := range []string{"base", "example"} {
		t.Run(folder, func(t *testing.T) {
			// kustomize has one cache of schemas for all.
			kustomizing.Lock()
			kustomizer := krusty.MakeKustomizer(krusty.MakeDefaultOptions())
			made, err := kustomizer.Run(filesys.MakeFsOnDisk(), path.Join(top, "deploy/k8s", folder))
			kustomizing.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			m := &manifests{}
			for _, resource := range made.Resources() {
				text, err := resource.AsYAML()
				if err != nil {
					t.Fatal(err)
				}
				m.add(t, text)
			}
			each(t, m)
		})
	}
}

var kustomizing sync.Mutex

// pods returns the pod templates by the names of what makes them.
func (m *manifests) pods() map[string]corev1.PodTemplateSpec {
	all := map[string]corev1.PodTemplateSpec{}
	for name, d := range m.deployments {
		all[name] = d.Spec.Template
	}
	for name, j := range m.jobs {
		all[name] = j.Spec.Template
	}
	return all
}

// exampleSecrets are the Secrets that the operator is told to make.
func exampleSecrets(t testing.TB) map[string]*corev1.Secret {
	t.Helper()
	m := &manifests{}
	for _, text := range strings.Split(read(t, "deploy/k8s/base/secrets.example.yaml"), "\n---\n") {
		m.add(t, []byte(text))
	}
	return m.secrets
}

func keysOf[V any](all map[string]V) []string {
	return slices.Sorted(maps.Keys(all))
}

func TestKubernetesGetsTheObjectsThatTapisKnows(t *testing.T) {
	kustomized(t, func(t *testing.T, m *manifests) {
		for _, kind := range []struct {
			names []string
			want  string
		}{
			{keysOf(m.deployments), "authenticator-api tenants-api"},
			{keysOf(m.services), "authenticator-api tenants-api"},
			{keysOf(m.budgets), "authenticator-api tenants-api"},
			{keysOf(m.jobs), "authenticator-migrations tenants-migrations"},
			{keysOf(m.ingresses), "gatehouse"},
			{keysOf(m.secrets), ""}, // by reference only
		} {
			if got := strings.Join(kind.names, " "); got != kind.want {
				t.Errorf("got %q, want %q", got, kind.want)
			}
		}
		want := map[string]string{"base": "", "example": "tapis"}[path.Base(t.Name())]
		if len(m.namespaces) != 1 || !m.namespaces[want] {
			t.Errorf("the objects are in the namespaces %q, want %q", keysOf(m.namespaces), want)
		}
	})
}

func selects(t testing.TB, s *metav1.LabelSelector, of map[string]string) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return selector.Matches(labels.Set(of))
}

func TestSelectorsFindTheirPods(t *testing.T) {
	kustomized(t, func(t *testing.T, m *manifests) {
		selected := func(s *metav1.LabelSelector) string {
			var names []string
			for name, pod := range m.pods() {
				if selects(t, s, pod.Labels) {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			return strings.Join(names, " ")
		}
		for name, d := range m.deployments {
			if got := selected(d.Spec.Selector); got != name {
				t.Errorf("Deployment %s selects %q", name, got)
			}
			for _, spread := range d.Spec.Template.Spec.TopologySpreadConstraints {
				if got := selected(spread.LabelSelector); got != name {
					t.Errorf("Deployment %s spreads %q", name, got)
				}
			}
		}
		for name, s := range m.services {
			if got := selected(&metav1.LabelSelector{MatchLabels: s.Spec.Selector}); got != name {
				t.Errorf("Service %s selects %q", name, got)
			}
		}
		for name, b := range m.budgets {
			if got := selected(b.Spec.Selector); got != name || b.Spec.MaxUnavailable.IntValue() != 1 {
				t.Errorf("PodDisruptionBudget %s selects %q", name, got)
			}
		}
		covered := map[networkingv1.PolicyType]string{}
		for _, kind := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
			pods := map[string]bool{}
			for name, p := range m.policies {
				got := selected(&p.Spec.PodSelector)
				if got == "" {
					t.Errorf("NetworkPolicy %s selects nothing", name)
				}
				if slices.Contains(p.Spec.PolicyTypes, kind) {
					for _, pod := range strings.Fields(got) {
						pods[pod] = true
					}
				}
			}
			covered[kind] = strings.Join(keysOf(pods), " ")
			if want := strings.Join(keysOf(m.pods()), " "); covered[kind] != want {
				t.Errorf("%s is restricted for %q, want %q", kind, covered[kind], want)
			}
		}
	})
}

// What pods and their containers may do: nothing.
var (
	ordinaryPod = &corev1.PodSecurityContext{
		RunAsNonRoot: new(true), RunAsUser: new(int64(65532)), RunAsGroup: new(int64(65532)), FSGroup: new(int64(65532)),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	ordinaryContainer = &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
)

func TestPodsHaveNoRightsAndBoundedMeans(t *testing.T) {
	kustomized(t, func(t *testing.T, m *manifests) {
		for name, template := range m.pods() {
			pod := template.Spec
			if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
				t.Errorf("%s gets a token of the cluster", name)
			}
			if pod.EnableServiceLinks == nil || *pod.EnableServiceLinks {
				t.Errorf("%s gets variables of other services", name)
			}
			if !reflect.DeepEqual(pod.SecurityContext, ordinaryPod) {
				t.Errorf("%s has the security context %v", name, pod.SecurityContext)
			}
			if len(pod.InitContainers)+len(pod.EphemeralContainers) > 0 || len(pod.Containers) != 1 || pod.HostNetwork ||
				pod.HostPID || pod.HostIPC {
				t.Errorf("%s has more than its one container", name)
			}
			for _, c := range pod.Containers {
				if !reflect.DeepEqual(c.SecurityContext, ordinaryContainer) {
					t.Errorf("%s: %s has the security context %v", name, c.Name, c.SecurityContext)
				}
				if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
					t.Errorf("%s: %s has the resources %v", name, c.Name, c.Resources)
				}
				if _, tag, found := strings.Cut(path.Base(c.Image), ":"); !found || tag == "latest" || len(c.Command) > 0 {
					t.Errorf("%s runs the image %s, command %q", name, c.Image, c.Command)
				}
				for _, v := range c.VolumeMounts {
					if !v.ReadOnly {
						t.Errorf("%s writes to %s", name, v.MountPath)
					}
				}
			}
		}
	})
}

func TestAReplacementCostsNoRequest(t *testing.T) {
	kustomized(t, func(t *testing.T, m *manifests) {
		for name, d := range m.deployments {
			rolling := d.Spec.Strategy.RollingUpdate
			if *d.Spec.Replicas < 2 || d.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType ||
				rolling.MaxUnavailable.IntValue() != 0 {
				t.Errorf("%s is replaced with %d replicas by %v", name, *d.Spec.Replicas, d.Spec.Strategy)
			}
			c := d.Spec.Template.Spec.Containers[0]
			if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || c.Lifecycle.PreStop.Sleep == nil {
				t.Fatalf("%s stops before proxies know", name)
			}
			pause, grace := c.Lifecycle.PreStop.Sleep.Seconds, *d.Spec.Template.Spec.TerminationGracePeriodSeconds
			if pause < 3 || pause+int64(drain.Seconds())+5 > grace {
				t.Errorf("%s waits %d s and drains, all within %d s", name, pause, grace)
			}
		}
		for name, j := range m.jobs {
			if pod := j.Spec.Template.Spec; pod.RestartPolicy != corev1.RestartPolicyNever || j.Spec.TTLSecondsAfterFinished == nil ||
				!slices.Equal(pod.Containers[0].Args, []string{"migrate"}) {
				t.Errorf("Job %s: %v", name, j.Spec)
			}
		}
	})
}

func TestProbesAndPortsMeetTheServers(t *testing.T) {
	kustomized(t, func(t *testing.T, m *manifests) {
		for name, d := range m.deployments {
			c := d.Spec.Template.Spec.Containers[0]
			var settings struct {
				Listen  string
				Metrics struct{ Listen string }
			}
			file := m.mounted(t, d.Spec.Template.Spec)[envOf(c)["GATEHOUSE_CONFIG"]]
			err := yaml.Unmarshal([]byte(file), &settings)
			if err != nil || settings.Listen != ":5000" || settings.Metrics.Listen != ":9090" {
				t.Errorf("%s listens on %q and %q (%v)", name, settings.Listen, settings.Metrics.Listen, err)
			}
			ports := map[string]int32{}
			for _, p := range c.Ports {
				ports[p.Name] = p.ContainerPort
			}
			if len(ports) != 2 || ports["http"] != 5000 || ports["metrics"] != 9090 {
				t.Errorf("%s has the ports %v", name, ports)
			}
			for kind, probe := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
				want := corev1.HTTPGetAction{Path: kind, Port: intstr.FromString("http")}
				if probe == nil || probe.HTTPGet == nil || !reflect.DeepEqual(*probe.HTTPGet, want) {
					t.Errorf("%s: the probe for %s is %v", name, kind, probe)
				}
			}
			// A readiness check of the programs may take three seconds.
			if c.ReadinessProbe.TimeoutSeconds <= 3 {
				t.Errorf("%s: the probe gives up before the program does", name)
			}
		}
		for name, s := range m.services {
			want := corev1.ServicePort{Name: "http", Port: 5000, TargetPort: intstr.FromString("http")}
			if len(s.Spec.Ports) != 1 || s.Spec.Ports[0] != want {
				t.Errorf("Service %s: %v", name, s.Spec.Ports)
			}
		}
	})
}

func TestTheIngressRoutesByPath(t *testing.T) {
	kustomized(t, func(t *testing.T, m *manifests) {
		ingress := m.ingresses["gatehouse"]
		if len(ingress.Spec.Rules) != 1 {
			t.Fatalf("there are %d rules", len(ingress.Spec.Rules))
		}
		got := map[string]string{}
		for _, p := range ingress.Spec.Rules[0].HTTP.Paths {
			backend := p.Backend.Service
			s := m.services[backend.Name]
			if s == nil || s.Spec.Ports[0].Name != backend.Port.Name || *p.PathType != networkingv1.PathTypePrefix {
				t.Errorf("%s goes to %v", p.Path, backend)
			}
			got[p.Path] = strings.TrimSuffix(backend.Name, "-api")
		}
		if !maps.Equal(got, routes) {
			t.Errorf("the paths are %v, want %v", got, routes)
		}
	})
}

func TestTheBaseBelievesTheIngressControllerAboutAddresses(t *testing.T) {
	for _, file := range []string{"deploy/k8s/base/config/tenants.yaml", "deploy/k8s/base/config/authenticator.yaml"} {
		var settings struct {
			Proxies []netip.Prefix `json:"trusted_proxies"`
		}
		if err := yaml.Unmarshal([]byte(read(t, file)), &settings); err != nil || len(settings.Proxies) != 1 {
			t.Errorf("%s trusts %v (%v)", file, settings.Proxies, err)
		}
	}
}
